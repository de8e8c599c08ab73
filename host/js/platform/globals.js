// What users see: https://min-common-api.proposal.wintertc.org/

const navigator = Object.freeze({ userAgent: "Mayfly", hardwareConcurrency: 1, language: "en" });

tag(Event, CustomEvent, ErrorEvent, EventTarget, AbortSignal, AbortController, TextEncoder, TextDecoder, URL, URLSearchParams, Headers, Blob, File,
  FormData, ReadableStream, ReadableStreamDefaultController, ReadableByteStreamController, ReadableStreamBYOBRequest, WritableStream, WritableStreamDefaultController,
  WritableStreamDefaultWriter, TransformStream, TransformStreamDefaultController, ReadableStreamDefaultReader, ReadableStreamBYOBReader,
  TextEncoderStream, TextDecoderStream, CountQueuingStrategy, ByteLengthQueuingStrategy, Request, Response, Crypto, SubtleCrypto, CryptoKey, DigestStream);

for (const [name, value] of Object.entries({
  Event, CustomEvent, ErrorEvent, EventTarget, AbortSignal, AbortController, TextEncoder, TextDecoder, URL, URLSearchParams, Headers, Blob, File,
  FormData, ReadableStream, ReadableStreamDefaultController, ReadableByteStreamController, ReadableStreamBYOBRequest, ReadableStreamDefaultReader,
  ReadableStreamBYOBReader, WritableStream, WritableStreamDefaultController, WritableStreamDefaultWriter, TransformStream, TransformStreamDefaultController,
  TextEncoderStream, TextDecoderStream, IdentityTransformStream, FixedLengthStream, CountQueuingStrategy, ByteLengthQueuingStrategy,
  Request, Response, fetch, setTimeout, setInterval, clearTimeout, clearInterval, queueMicrotask, scheduler, performance,
  Crypto, SubtleCrypto, CryptoKey, crypto, structuredClone, navigator, self: globalThis,
})) define(globalThis, name, value);

// WebAssembly would have the host call the guest, which it never does.
Object.defineProperty(globalThis, "WebAssembly", {
  configurable: true,
  get() { throw new Error("WebAssembly is not offered to JavaScript Workers; deploy a WebAssembly module as a Function of its own"); },
});

Math.random = random;
