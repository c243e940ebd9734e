/**
 * GPUs that fail: a real device, whose calls are intercepted.
 *
 * @module
 */

import { loadGpu } from "#platform";

/** What can be made to fail. */
export interface Faults {
  /** Called before each submission; counts from 1. */
  onSubmit?(count: number, device: GPUDevice): void;
  /** Called before each dispatch, between two passes: what it encodes happens to the buffers of these labels then. */
  onDispatch?(kernel: string, encoder: GPUCommandEncoder, buffers: ReadonlyMap<string, GPUBuffer>): void;
  /** Changes what is read back; counts from 1. */
  onRead?(bytes: Uint8Array, count: number): void;
  /** Changes kernels. */
  onKernel?(code: string, label: string): string;
  /** The next buffer is said to find no memory. */
  outOfMemory?: boolean;
  /** Memory is never mapped. */
  silent?: boolean;
  /** Compilers refuse every kernel and never say why. */
  sullen?: boolean;
  /** No adapter, no device, or not even an answer. */
  missing?: "adapter" | "device" | "answer";
}

/** A `GPU` object to open backends with. Every device of it fails alike, unless `faults` are changed meanwhile. */
export function faultyGpu(faults: Faults): object {
  const patch = (device: GPUDevice): GPUDevice => {
    let [submissions, reads, outOfMemory] = [0, 0, false];
    const scopes: string[] = [];
    const { queue } = device;
    const submit = queue.submit.bind(queue);
    queue.submit = (commands) => {
      faults.onSubmit?.(++submissions, device);
      return submit(commands);
    };
    const buffers = new Map<string, GPUBuffer>();
    const createCommandEncoder = device.createCommandEncoder.bind(device);
    device.createCommandEncoder = (descriptor) => {
      const encoder = createCommandEncoder(descriptor);
      const begin = encoder.beginComputePass.bind(encoder);
      encoder.beginComputePass = () => {
        let pass = begin();
        let [kernel, again] = ["", () => {}];
        const faulty: Partial<GPUComputePassEncoder> = {
          setPipeline: (pipeline) => {
            kernel = pipeline.label;
            again = () => pass.setPipeline(pipeline);
            again();
          },
          setBindGroup: (index: number, group: GPUBindGroup | null | undefined) => {
            const pipeline = again;
            again = () => {
              pipeline();
              pass.setBindGroup(index, group!);
            };
            pass.setBindGroup(index, group!);
          },
          dispatchWorkgroups: (x, y) => {
            if (faults.onDispatch !== undefined) {
              pass.end();
              faults.onDispatch(kernel, encoder, buffers);
              pass = begin();
              again();
            }
            pass.dispatchWorkgroups(x, y);
          },
          end: () => pass.end(),
        };
        return faulty as GPUComputePassEncoder;
      };
      return encoder;
    };
    const createBuffer = device.createBuffer.bind(device);
    device.createBuffer = (descriptor) => {
      if (faults.outOfMemory) outOfMemory = true;
      faults.outOfMemory = false;
      const buffer = createBuffer(descriptor);
      buffers.set(descriptor.label ?? "", buffer);
      if (faults.silent) buffer.mapAsync = () => new Promise(() => {});
      const getMappedRange = buffer.getMappedRange.bind(buffer);
      buffer.getMappedRange = (...range) => {
        const bytes = getMappedRange(...range);
        faults.onRead?.(new Uint8Array(bytes), ++reads);
        return bytes;
      };
      return buffer;
    };
    const createShaderModule = device.createShaderModule.bind(device);
    device.createShaderModule = (descriptor) => {
      const code = faults.onKernel?.(descriptor.code, descriptor.label ?? "") ?? descriptor.code;
      const module = createShaderModule({ ...descriptor, code });
      if (faults.sullen) module.getCompilationInfo = () => new Promise(() => {});
      return module;
    };
    const pushErrorScope = device.pushErrorScope.bind(device);
    device.pushErrorScope = (filter) => {
      scopes.push(filter);
      return pushErrorScope(filter);
    };
    const popErrorScope = device.popErrorScope.bind(device);
    device.popErrorScope = async () => {
      const filter = scopes.pop();
      const error = await popErrorScope();
      if (filter !== "out-of-memory" || !outOfMemory) return error;
      outOfMemory = false;
      return { message: "no memory is left" } as GPUOutOfMemoryError;
    };
    return device;
  };
  return {
    async requestAdapter(options: GPURequestAdapterOptions) {
      if (faults.missing === "answer") return new Promise(() => {});
      if (faults.missing === "adapter") return null;
      const adapter = (await ((await loadGpu()) as GPU).requestAdapter(options))!;
      const requestDevice = adapter.requestDevice.bind(adapter);
      adapter.requestDevice = async (descriptor) => {
        if (faults.missing === "device") throw new Error("no more devices");
        return patch(await requestDevice(descriptor));
      };
      return adapter;
    },
  };
}
