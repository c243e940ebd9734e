/**
 * Products in residues, batch by batch, and what plans that contain products are made of.
 *
 * @module
 */

import type { GpuJsDevice, Handle, Input, Kernel, Plan } from "./gpu.js";
import { alpha, extend, type KernelSource, PRODUCT, type Product, pointwise, xi, zeta } from "./kernels.js";
import { decode, encode, factor, M, type Residues } from "./rns.js";

export type Kernels = Readonly<Record<string, Kernel>>;
/** A number array on the device. */
export interface Value {
  readonly first: Handle;
  readonly second: Handle;
}

/** The kernels of a product, and of its way back to the first base. */
export const productKernels = (name: string, product: Product, n: number): Record<string, KernelSource> => ({
  [`${name}Xi`]: xi(product, n),
  [`${name}Zeta`]: zeta(product, n),
});
export const extensionKernels = (name: string, n: number): Record<string, KernelSource> => ({
  [`${name}Alpha`]: alpha(n),
  [`${name}Extend`]: extend(n),
});

export const call = (kernels: Kernels, name: string, ...args: (Handle | Input)[]): Handle =>
  (kernels[name] as Kernel)(...args);

/** Steps 1 and 2. */
export const multiply = (kernels: Kernels, name: string, first: Handle[], second: Handle[]): Handle =>
  call(kernels, `${name}Zeta`, call(kernels, `${name}Xi`, ...first), ...second);
/** Steps 3 and 4. */
export const extended = (kernels: Kernels, name: string, second: Handle): Value => ({
  first: call(kernels, `${name}Extend`, second, call(kernels, `${name}Alpha`, second)),
  second,
});

export const rowsOf = (device: GpuJsDevice, { first, second }: Residues): Input[] => [
  device.numbers(first),
  device.numbers(second),
];

/** Plans that are made when they are first used. */
export abstract class Plans {
  protected readonly device: GpuJsDevice;
  /** Numbers. */
  readonly n: number;
  readonly #plans = new Map<string, Plan>();

  constructor(device: GpuJsDevice, n: number) {
    this.device = device;
    this.n = n;
  }

  protected plan(name: string, make: () => Plan): Plan {
    let plan = this.#plans.get(name);
    if (plan === undefined) {
      plan = make();
      this.#plans.set(name, plan);
    }
    return plan;
  }

  async free(): Promise<void> {
    const plans = [...this.#plans.values()];
    this.#plans.clear();
    await Promise.all(plans.map((plan) => plan.destroy()));
  }
}

/** Products of n numbers. */
export class Products extends Plans {
  /** x_i·y_i mod r, n numbers of 32 bytes each. */
  async multiply(x: Uint8Array, y: Uint8Array): Promise<Uint8Array> {
    const { device, n } = this;
    const plan = this.plan("multiply", () =>
      device.plan(
        {
          ...productKernels("scale", pointwise(factor(M), n, 1, false), n),
          ...productKernels("product", PRODUCT, n),
          ...extensionKernels("all", n),
        },
        4,
        (kernels, [x1, x2, y1, y2]) => {
          // y·M, for a product of two numbers is divided by it
          const scaled = extended(kernels, "all", multiply(kernels, "scale", [y1 as Handle], [y2 as Handle]));
          return [multiply(kernels, "product", [x1 as Handle, scaled.first], [x2 as Handle, scaled.second])];
        },
      ),
    );
    const [rows = []] = await plan.run(...rowsOf(device, encode(x)), ...rowsOf(device, encode(y)));
    return decode(rows);
  }
}
