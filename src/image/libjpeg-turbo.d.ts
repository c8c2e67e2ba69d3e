/** What we use of libjpeg-turbo compiled to WebAssembly; the package has no types of its own. */
declare module '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs' {
  export interface FrameInfo {
    width: number;
    height: number;
    bitsPerSample: number;
    componentCount: number;
    isSigned: boolean;
  }
  /** Buffers are views of the module's memory: any later call may move it and leave them empty. */
  export interface JpegDecoder {
    getEncodedBuffer(length: number): Uint8Array;
    decode(): void;
    getFrameInfo(): FrameInfo;
    getDecodedBuffer(): Uint8Array;
  }
  export interface JpegEncoder {
    getDecodedBuffer(frame: FrameInfo): Uint8Array;
    setQuality(percent: number): void;
    setSubSampling(tjsamp: number): void;
    setProgressive(progressive: boolean): void;
    encode(): void;
    getEncodedBuffer(): Uint8Array;
  }
  export interface LibJpegTurbo {
    JPEGDecoder: new () => JpegDecoder;
    JPEGEncoder: new () => JpegEncoder;
  }
  export default function load(options?: {
    wasmBinary?: ArrayBuffer | Uint8Array;
    locateFile?: (name: string) => string;
    print?: (text: string) => void;
    printErr?: (text: string) => void;
  }): Promise<LibJpegTurbo>;
}
