/** The parts of AudioWorkletGlobalScope that the worklets use; TypeScript's DOM library leaves them out. */

declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}

declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

declare const sampleRate: number;
declare const currentTime: number;
