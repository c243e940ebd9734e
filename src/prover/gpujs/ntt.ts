/**
 * Transforms in residues, one plan a domain and transform (some, where a transform takes long), and the quotient of them.
 *
 * Layers are Stockham's: natural order on both sides, no permutation. With s = n/2, n/4, … 1, t < n/2 and base = s·floor(t/s):
 *
 *     y_t, y_(t + n/2) = x_(t + base) ± ω^base·x_(t + base + s)
 *
 * A product comes before a sum, so that each layer adds at most κ·r to the integers that stand behind the residues, see `rns.ts`; the
 * first layer multiplies with 1, that is not at all. The inverse transform is n times the forward one with indices negated; so
 * the product with 1/n, or with g^j/n on the way to the odd coset, reads number -j mod n.
 *
 * @module
 */

import { FR_MODULUS } from "../../formats/bn254.js";
import type { Transform } from "../backend.js";
import { invMod, rootOfUnity } from "../wasm/constants.js";
import {
  call,
  extended,
  extensionKernels,
  type Kernels,
  multiply,
  Plans,
  productKernels,
  rowsOf,
  type Value,
} from "./field.js";
import type { GpuJsDevice, Handle, Input, Plan } from "./gpu.js";
import {
  butterfly,
  butterflyProduct,
  difference,
  firstButterfly,
  type KernelSource,
  NEXT_STRIDE,
  PRODUCT,
  pointwise,
} from "./kernels.js";
import { decode, encode, factor, LANES, M, powers, type Residues } from "./rns.js";

/** Awaited between pieces of work; throws when there is no use in more. */
export type Pause = () => Promise<void>;
const noPause: Pause = async () => {};

/** What a transform consists of. */
type Step = "first" | "layer" | "point";

/** Products that a plan computes at most: well under a second in WebAssembly, and an abort is noticed in between. */
const PIECE = 2 ** 18;

/** Numbers on the host, as arguments of plans. */
interface Arguments {
  readonly first: Input;
  readonly second: Input;
}

/** The transforms of one size, and the quotient. */
export class Domain extends Plans {
  readonly power: number;
  /** Products that a plan computes at most, if it can be cut so. */
  readonly #piece: number;
  #twiddles: Residues | undefined;
  #cosetFactors: Residues | undefined;

  constructor(device: GpuJsDevice, power: number, piece = PIECE) {
    super(device, 2 ** power);
    this.power = power;
    this.#piece = piece;
  }

  /**
   * @param values 2^power numbers of 32 bytes each.
   * @param pause awaited between pieces; may throw.
   */
  async transform(values: Uint8Array, transform: Transform, pause: Pause = noPause): Promise<Uint8Array> {
    return decode((await this.#transform(this.#arguments(values), transform, pause)).second);
  }

  /**
   * a·b - c on the odd coset, for c = a∘b on the domain.
   *
   * @param a values on the domain, 2^power numbers of 32 bytes each.
   * @param pause awaited between pieces; may throw.
   */
  async quotient(a: Uint8Array, b: Uint8Array, pause: Pause = noPause): Promise<Uint8Array> {
    const argumentsA = this.#arguments(a);
    const { first, second } = this.#arguments(b);
    const [b1, b2, c1, c2] = await this.#rows().run(argumentsA.first, argumentsA.second, first, second);
    const coset = async (x: Arguments) => {
      await pause();
      return this.#transform(x, "coset", pause);
    };
    const valuesA = await coset(argumentsA);
    const valuesB = await coset({ first: this.#input(b1), second: this.#input(b2) });
    const valuesC = await coset({ first: this.#input(c1), second: this.#input(c2) });
    await pause();
    const [rows = []] = await this.#combine().run(
      this.#input(valuesA.first),
      this.#input(valuesA.second),
      this.#input(valuesB.first),
      this.#input(valuesB.second),
      this.#input(valuesC.second),
    );
    await pause();
    return decode(rows);
  }

  #arguments(values: Uint8Array): Arguments {
    const [first, second] = rowsOf(this.device, encode(values));
    return { first: first as Input, second: second as Input };
  }

  /** Rows of a result as an argument of another plan. */
  #input(rows: readonly Float32Array[] = []): Input {
    const data = new Float32Array(LANES * this.n);
    rows.forEach((row, lane) => {
      data.set(row, lane * this.n);
    });
    return this.device.numbers(data);
  }

  /** b·M and c = a·b, of a and b: products are divided by M, this one and the one at the end. */
  #rows(): Plan {
    const { device, n } = this;
    return this.plan("rows", () =>
      device.plan(
        {
          ...productKernels("scale", pointwise(factor(M), n, 1, false), n),
          ...productKernels("product", PRODUCT, n),
          ...extensionKernels("all", n),
        },
        4,
        (kernels, [a1, a2, b1, b2]) => {
          const b = extended(kernels, "all", multiply(kernels, "scale", [b1 as Handle], [b2 as Handle]));
          const second = multiply(kernels, "product", [a1 as Handle, b.first], [a2 as Handle, b.second]);
          const c = extended(kernels, "all", second);
          return [b.first, b.second, c.first, c.second];
        },
      ),
    );
  }

  /** a·(b·M)/M - c, in the second base. */
  #combine(): Plan {
    const { device, n } = this;
    return this.plan("combine", () =>
      device.plan(
        { ...productKernels("product", PRODUCT, n), difference: difference(n) },
        5,
        (kernels, [a1, a2, b1, b2, c2]) => [
          call(
            kernels,
            "difference",
            multiply(kernels, "product", [a1 as Handle, b1 as Handle], [a2 as Handle, b2 as Handle]),
            c2 as Handle,
          ),
        ],
      ),
    );
  }

  async #transform(
    values: Arguments,
    transform: Transform,
    pause: Pause,
  ): Promise<{ first: Float32Array[]; second: Float32Array[] }> {
    const { n } = this;
    const layers: Step[] = ["first", ...new Array<Step>(this.power - 1).fill("layer")];
    const steps: Step[] =
      transform === "forward"
        ? layers
        : transform === "inverse"
          ? [...layers, "point"]
          : [...layers, "point", ...layers];
    const pieces = this.#cut(steps);
    let x = values;
    let stride = n / 2;
    for (;;) {
      const piece = pieces.shift() as Step[];
      const at = this.device.input(Float32Array.of(stride, 1 / stride), 2);
      const plan = this.#piecePlan(piece, transform === "coset");
      const [first = [], second = []] = await plan.run(x.first, x.second, at);
      if (pieces.length === 0) return { first, second };
      for (const step of piece) {
        if (step === "layer") stride /= 2;
        else if (step === "first") stride = n / 2;
      }
      await pause();
      x = { first: this.#input(first), second: this.#input(second) };
    }
  }

  /** Cuts steps into pieces of about as many products as one plan may have. */
  #cut(steps: readonly Step[]): Step[][] {
    const pieces: Step[][] = [];
    let room = 0;
    for (const step of steps) {
      const products = step === "first" ? 0 : step === "layer" ? this.n / 2 : this.n;
      if (products > room || pieces.length === 0) {
        pieces.push([]);
        room = Math.max(this.#piece, products);
      }
      pieces.at(-1)?.push(step);
      room -= products;
    }
    return pieces;
  }

  /** Plans with the same steps are the same, but for the factors of points; `stride` is that of the layer before. */
  #piecePlan(steps: readonly Step[], coset: boolean): Plan {
    const { device, n, power } = this;
    const point = !steps.includes("point") ? "" : coset ? " coset" : " inverse";
    return this.plan(`${steps.join(" ")}${point}`, () => {
      const kernels: Record<string, KernelSource> = {};
      if (steps.includes("first")) {
        kernels.first1 = firstButterfly("first", n);
        kernels.first2 = firstButterfly("second", n);
      }
      if (steps.includes("layer")) {
        this.#twiddles ??= powers(1n, rootOfUnity(power), n / 2);
        Object.assign(kernels, productKernels("layer", butterflyProduct(this.#twiddles, n), n / 2));
        Object.assign(kernels, extensionKernels("layer", n / 2), { next: NEXT_STRIDE });
        Object.assign(kernels, { butterfly1: butterfly("first", n), butterfly2: butterfly("second", n) });
      }
      if (steps.includes("point")) {
        const inverse = invMod(BigInt(n), FR_MODULUS);
        if (coset) this.#cosetFactors ??= powers(inverse, rootOfUnity(power + 1), n);
        const product =
          coset && this.#cosetFactors !== undefined
            ? pointwise(this.#cosetFactors, n, n, true)
            : pointwise(factor(inverse), n, 1, true);
        Object.assign(kernels, productKernels("point", product, n), extensionKernels("point", n));
      }
      return device.plan(kernels, 3, (made, [first, second, start]) =>
        this.#record(steps, made, { first: first as Handle, second: second as Handle }, start as Handle),
      );
    });
  }

  #record(steps: readonly Step[], kernels: Kernels, values: Value, start: Handle): Handle[] {
    const initial = this.device.input(Float32Array.of(this.n / 2, 2 / this.n), 2);
    let x = values;
    let stride: Handle | Input = start;
    for (const step of steps) {
      if (step === "first") {
        x = { first: call(kernels, "first1", x.first), second: call(kernels, "first2", x.second) };
        stride = initial;
      } else if (step === "point") {
        x = extended(kernels, "point", multiply(kernels, "point", [x.first], [x.second]));
      } else {
        stride = call(kernels, "next", stride);
        const product = multiply(kernels, "layer", [x.first, stride], [x.second, stride]);
        const y = extended(kernels, "layer", product);
        x = {
          first: call(kernels, "butterfly1", x.first, y.first, stride),
          second: call(kernels, "butterfly2", x.second, y.second, stride),
        };
      }
    }
    return [x.first, x.second];
  }
}
