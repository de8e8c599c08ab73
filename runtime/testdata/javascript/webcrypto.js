// crypto.subtle and DigestStream.
import suite, { test, equal, throws, rejects } from "./harness.js";
export default suite;

const { subtle } = crypto;
const bytes = text => new TextEncoder().encode(text);
const hex = data => new Uint8Array(data).toHex();
const from = text => Uint8Array.fromHex(text);
const refuses = (promise, name, message) => rejects(promise, name, message);

// Vectors of the documents named.
test("AES-GCM, NIST test case 4", async () => {
  const key = await subtle.importKey("raw", from("feffe9928665731c6d6a8f9467308308"), "AES-GCM", false, ["encrypt", "decrypt"]);
  const plain = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";
  const a = { name: "AES-GCM", iv: from("cafebabefacedbaddecaf888"), additionalData: from("feedfacedeadbeeffeedfacedeadbeefabaddad2") };
  const sealed = hex(await subtle.encrypt(a, key, from(plain)));
  equal(sealed, "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
    + "5bc94fbc3221a5db94fae95ae7121a47");
  equal(hex(await subtle.decrypt(a, key, from(sealed))), plain);
  await refuses(subtle.decrypt(a, key, from(sealed.replace(/7$/, "8"))), "OperationError");
  await refuses(subtle.decrypt({ ...a, additionalData: new Uint8Array(1) }, key, from(sealed)), "OperationError");
  for (const tagLength of [32, 64, 96, 120]) {
    const short = await subtle.encrypt({ ...a, tagLength }, key, from(plain));
    equal(hex(short), sealed.slice(0, plain.length + tagLength / 4));
    equal(hex(await subtle.decrypt({ ...a, tagLength }, key, short)), plain);
    new Uint8Array(short)[0] ^= 1;
    await refuses(subtle.decrypt({ ...a, tagLength }, key, short), "OperationError");
  }
  await refuses(subtle.encrypt({ ...a, tagLength: 100 }, key, from(plain)), "OperationError", "100");
  await refuses(subtle.encrypt({ ...a, iv: new Uint8Array() }, key, from(plain)), "OperationError");
  await refuses(subtle.encrypt({ name: "AES-GCM" }, key, from(plain)), "TypeError", "iv");
  await refuses(subtle.encrypt({ name: "AES-CBC", iv: new Uint8Array(16) }, key, from(plain)), "InvalidAccessError");
});

test("AES-CBC and AES-CTR, NIST SP 800-38A", async () => {
  const raw = from("2b7e151628aed2a6abf7158809cf4f3c"), block = "6bc1bee22e409f96e93d7e117393172a";
  const cbc = await subtle.importKey("raw", raw, "AES-CBC", false, ["encrypt", "decrypt"]);
  const a = { name: "aes-cbc", iv: from("000102030405060708090a0b0c0d0e0f") };
  const sealed = await subtle.encrypt(a, cbc, from(block));
  equal(hex(sealed).slice(0, 32), "7649abac8119b246cee98e9b12e9197d");
  equal(sealed.byteLength, 32);
  equal(hex(await subtle.decrypt(a, cbc, sealed)), block);
  await refuses(subtle.decrypt(a, cbc, new Uint8Array(16)), "OperationError", "padded");
  await refuses(subtle.decrypt(a, cbc, new Uint8Array(15)), "OperationError");
  await refuses(subtle.encrypt({ ...a, iv: new Uint8Array(12) }, cbc, raw), "OperationError", "16 bytes");

  const ctr = await subtle.importKey("raw", raw, "AES-CTR", false, ["encrypt", "decrypt"]);
  const counter = from("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  const two = block + "ae2d8a571e03ac9c9eb76fac45af8e51";
  equal(hex(await subtle.encrypt({ name: "AES-CTR", counter, length: 128 }, ctr, from(two))), "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff");
  // A counter of four bits, which was at its last value, goes on with zero.
  const wrapped = hex(await subtle.encrypt({ name: "AES-CTR", counter, length: 4 }, ctr, from(two)));
  const next = await subtle.encrypt({ name: "AES-CTR", counter: from("f0f1f2f3f4f5f6f7f8f9fafbfcfdfef0"), length: 64 }, ctr, from(two.slice(32)));
  equal(wrapped, "874d6191b620e3261bef6864990db6ce" + hex(next));
  await refuses(subtle.encrypt({ name: "AES-CTR", counter, length: 1 }, ctr, new Uint8Array(48)), "OperationError", "too short");
  await refuses(subtle.encrypt({ name: "AES-CTR", counter, length: 0 }, ctr, raw), "OperationError");
});

test("AES-KW, RFC 3394 section 4", async () => {
  const wrapping = await subtle.importKey("raw", from("000102030405060708090A0B0C0D0E0F"), "AES-KW", false, ["wrapKey", "unwrapKey"]);
  const key = await subtle.importKey("raw", from("00112233445566778899AABBCCDDEEFF"), "AES-GCM", true, ["encrypt"]);
  const wrapped = await subtle.wrapKey("raw", key, wrapping, "AES-KW");
  equal(hex(wrapped), "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5");
  const got = await subtle.unwrapKey("raw", wrapped, wrapping, "AES-KW", "AES-GCM", true, ["decrypt"]);
  equal(hex(await subtle.exportKey("raw", got)), "00112233445566778899aabbccddeeff");
  equal(got.usages, ["decrypt"]);
  new Uint8Array(wrapped)[3] ^= 1;
  await refuses(subtle.unwrapKey("raw", wrapped, wrapping, "AES-KW", "AES-GCM", true, ["decrypt"]), "OperationError");
  await refuses(subtle.wrapKey("raw", wrapping, wrapping, "AES-KW"), "InvalidAccessError", "not extractable");
  await refuses(subtle.encrypt("AES-KW", wrapping, new Uint8Array(16)), "NotSupportedError");
});

test("wrap a JWK", async () => {
  const wrapping = await subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["wrapKey", "unwrapKey"]);
  const { privateKey } = await subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const a = { name: "AES-GCM", iv: crypto.getRandomValues(new Uint8Array(12)) };
  const wrapped = await subtle.wrapKey("jwk", privateKey, wrapping, a);
  const got = await subtle.unwrapKey("jwk", wrapped, wrapping, a, { name: "ECDSA", namedCurve: "P-256" }, true, ["sign"]);
  equal((await subtle.exportKey("jwk", got)).d, (await subtle.exportKey("jwk", privateKey)).d);
});

test("HMAC, RFC 4231 test case 2", async () => {
  const algorithm = { name: "HMAC", hash: "SHA-384" };
  const key = await subtle.importKey("raw", bytes("Jefe"), algorithm, true, ["sign", "verify"]);
  const data = bytes("what do ya want for nothing?");
  const mac = await subtle.sign("HMAC", key, data);
  equal(hex(mac), "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649");
  equal(await subtle.verify("hmac", key, mac, data), true);
  equal(await subtle.verify("HMAC", key, mac.slice(1), data), false);
  equal(key.algorithm, { name: "HMAC", hash: { name: "SHA-384" }, length: 32 });
  equal(await subtle.exportKey("jwk", key), { kty: "oct", k: "SmVmZQ", alg: "HS384", key_ops: ["sign", "verify"], ext: true });
  await refuses(subtle.importKey("raw", new Uint8Array(), algorithm, true, ["sign"]), "DataError", "empty");
  await refuses(subtle.importKey("raw", data, algorithm, true, ["encrypt"]), "SyntaxError");
  await refuses(subtle.importKey("raw", data, algorithm, true, ["paint"]), "TypeError");
  await refuses(subtle.importKey("raw", data, algorithm, true, []), "SyntaxError");
  await refuses(subtle.importKey("spki", data, algorithm, true, ["sign"]), "NotSupportedError");
  await refuses(subtle.importKey("der", data, algorithm, true, ["sign"]), "TypeError");
  await refuses(subtle.importKey("raw", data, { name: "HMAC", hash: "SHA-3" }, true, ["sign"]), "NotSupportedError");
  const jwk = { kty: "oct", k: "SmVmZQ", alg: "HS384" };
  await subtle.importKey("jwk", jwk, algorithm, true, ["sign"]);
  for (const wrong of [{ alg: "HS256" }, { kty: "RSA" }, { k: "*" }, { use: "enc" }, { key_ops: ["verify"] }, { ext: false }]) {
    await refuses(subtle.importKey("jwk", { ...jwk, ...wrong }, algorithm, true, ["sign"]), "DataError");
  }
});

test("HKDF, RFC 5869 test case 1", async () => {
  const key = await subtle.importKey("raw", from("0b".repeat(22)), "HKDF", false, ["deriveBits", "deriveKey"]);
  const a = { name: "HKDF", hash: "SHA-256", salt: from("000102030405060708090a0b0c"), info: from("f0f1f2f3f4f5f6f7f8f9") };
  equal(hex(await subtle.deriveBits(a, key, 336)), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  const made = await subtle.deriveKey(a, key, { name: "AES-GCM", length: 128 }, true, ["encrypt"]);
  equal(hex(await subtle.exportKey("raw", made)), "3cb25f25faacd57a90434f64d0362f2a");
  await refuses(subtle.deriveBits(a, key, 7), "OperationError");
  await refuses(subtle.deriveBits(a, key, null), "OperationError");
  await refuses(subtle.deriveBits(a, key, 256 * 255 * 8), "OperationError");
  await refuses(subtle.importKey("raw", new Uint8Array(1), "HKDF", true, ["deriveBits"]), "SyntaxError");
  await refuses(subtle.exportKey("raw", key), "NotSupportedError");
});

test("PBKDF2, RFC 6070 test case 2", async () => {
  const key = await subtle.importKey("raw", bytes("password"), "PBKDF2", false, ["deriveBits"]);
  const a = { name: "PBKDF2", hash: "SHA-1", salt: bytes("salt"), iterations: 2 };
  equal(hex(await subtle.deriveBits(a, key, 160)), "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957");
  await refuses(subtle.deriveBits({ ...a, iterations: 100001 }, key, 160), "NotSupportedError", "iteration counts above 100000 are not supported (requested 100001)");
  await refuses(subtle.deriveBits({ ...a, iterations: 0 }, key, 160), "OperationError");
  await refuses(subtle.deriveBits(a, key, 1 << 20), "NotSupportedError");
  await refuses(subtle.deriveKey(a, key, { name: "AES-GCM", length: 128 }, true, ["encrypt"]), "InvalidAccessError");
});

test("Ed25519, RFC 8032 test 2", async () => {
  const d = from("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"), x = from("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  const url = b => b.toBase64({ alphabet: "base64url", omitPadding: true });
  const jwk = { kty: "OKP", crv: "Ed25519", d: url(d), x: url(x) };
  const key = await subtle.importKey("jwk", jwk, "Ed25519", true, ["sign"]);
  const signature = await subtle.sign("Ed25519", key, new Uint8Array([0x72]));
  equal(hex(signature), "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  const other = await subtle.importKey("raw", x, { name: "Ed25519" }, true, ["verify"]);
  equal(await subtle.verify("Ed25519", other, signature, new Uint8Array([0x72])), true);
  equal(await subtle.verify("Ed25519", other, signature, new Uint8Array([0x73])), false);
  await refuses(subtle.importKey("jwk", { ...jwk, x: url(d) }, "Ed25519", true, ["sign"]), "DataError");
  equal(hex(await subtle.exportKey("pkcs8", key)), "302e020100300506032b657004220420" + hex(d));
  equal(hex(await subtle.exportKey("spki", other)), "302a300506032b6570032100" + hex(x));
});

test("X25519, RFC 7748 section 6.1", async () => {
  const private8 = key => subtle.importKey("pkcs8", from("302e020100300506032b656e04220420" + key), "X25519", true, ["deriveBits"]);
  const alice = await private8("77076d0a7318a57d3c16c17251b26645df4c2f92ebc099ac29ca57a12ba20f5b");
  const bob = await private8("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const publicOf = async key => {
    const { d: _, key_ops: __, ...jwk } = await subtle.exportKey("jwk", key);
    return subtle.importKey("jwk", jwk, "X25519", true, []);
  };
  equal(hex(await subtle.exportKey("raw", await publicOf(bob))), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const secret = await subtle.deriveBits({ name: "X25519", public: await publicOf(bob) }, alice, 256);
  equal(hex(secret), hex(await subtle.deriveBits({ name: "X25519", public: await publicOf(alice) }, bob, 256)));
  const zero = await subtle.importKey("raw", new Uint8Array(32), "X25519", true, []);
  await refuses(subtle.deriveBits({ name: "X25519", public: zero }, alice, 256), "OperationError");
});

test("ECDSA", async () => {
  for (const [namedCurve, length] of [["P-256", 64], ["P-384", 96], ["P-521", 132]]) {
    const a = { name: "ECDSA", namedCurve };
    const { publicKey, privateKey } = await subtle.generateKey(a, true, ["sign", "verify"]);
    const signature = await subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, bytes("data"));
    equal(signature.byteLength, length);
    for (const [format, key, usage] of [["raw", publicKey, "verify"], ["spki", publicKey, "verify"], ["jwk", publicKey, "verify"], ["pkcs8", privateKey, "sign"], ["jwk", privateKey, "sign"]]) {
      const out = await subtle.exportKey(format, key), again = await subtle.importKey(format, out, a, true, [usage]);
      equal(again.algorithm, a);
      if (usage === "verify") {
        equal(await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, again, signature, bytes("data")), true, format);
        equal(await subtle.verify({ name: "ECDSA", hash: "SHA-256" }, again, signature, bytes("date")), false, format);
      } else {
        const second = await subtle.sign({ name: "ECDSA", hash: "SHA-512" }, again, bytes("x"));
        equal(await subtle.verify({ name: "ECDSA", hash: "SHA-512" }, publicKey, second, bytes("x")), true, format);
      }
    }
    await refuses(subtle.exportKey("raw", privateKey), "InvalidAccessError");
    await refuses(subtle.importKey("raw", new Uint8Array(length + 1), a, true, ["verify"]), "DataError");
    await refuses(subtle.importKey("raw", new Uint8Array(0), a, true, ["verify"]), "DataError");
  }
  await refuses(subtle.generateKey({ name: "ECDSA", namedCurve: "K-256" }, true, ["sign"]), "NotSupportedError");
  await refuses(subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["verify"]), "SyntaxError");
  await refuses(subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["encrypt"]), "SyntaxError");
});

test("ECDH", async () => {
  const a = { name: "ECDH", namedCurve: "P-384" };
  const one = await subtle.generateKey(a, false, ["deriveBits", "deriveKey"]), two = await subtle.generateKey(a, false, ["deriveBits"]);
  const first = await subtle.deriveBits({ ...a, public: two.publicKey }, one.privateKey, null), second = await subtle.deriveBits({ ...a, public: one.publicKey }, two.privateKey, 380);
  equal(first.byteLength, 48);
  equal(hex(second), hex(first).slice(0, 95) + "0");
  const key = await subtle.deriveKey({ ...a, public: two.publicKey }, one.privateKey, { name: "HMAC", hash: "SHA-256", length: 128 }, true, ["sign"]);
  equal(hex(await subtle.exportKey("raw", key)), hex(first).slice(0, 32));
  await refuses(subtle.deriveBits({ ...a, public: two.publicKey }, one.privateKey, 392), "OperationError");
  const wrong = await subtle.generateKey({ name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
  await refuses(subtle.deriveBits({ ...a, public: wrong.publicKey }, one.privateKey, 256), "InvalidAccessError");
  await refuses(subtle.deriveBits({ ...a, public: two.privateKey }, one.privateKey, 256), "InvalidAccessError");
});

test("RSA", async () => {
  const publicExponent = new Uint8Array([1, 0, 1]);
  const made = await subtle.generateKey({ name: "RSA-PSS", hash: "SHA-256", modulusLength: 1024, publicExponent }, true, ["sign", "verify"]);
  equal([made.privateKey.algorithm.modulusLength, made.privateKey.algorithm.publicExponent.toHex()], [1024, "010001"]);
  const signature = await subtle.sign({ name: "RSA-PSS", saltLength: 20 }, made.privateKey, bytes("data"));
  equal(await subtle.verify({ name: "RSA-PSS", saltLength: 20 }, made.publicKey, signature, bytes("data")), true);
  equal(await subtle.verify({ name: "RSA-PSS", saltLength: 32 }, made.publicKey, signature, bytes("data")), false);

  const pkcs8 = await subtle.exportKey("pkcs8", made.privateKey), jwk = await subtle.exportKey("jwk", made.publicKey);
  equal([jwk.alg, jwk.e, jwk.key_ops], ["PS256", "AQAB", ["verify"]]);
  delete jwk.alg;
  delete jwk.key_ops;
  for (const hash of ["SHA-1", "SHA-256", "SHA-384"]) {
    const a = { name: "RSASSA-PKCS1-v1_5", hash };
    const own = await subtle.importKey("pkcs8", pkcs8, a, true, ["sign"]), other = await subtle.importKey("jwk", jwk, a, true, ["verify"]);
    const signed = await subtle.sign("RSASSA-PKCS1-v1_5", own, bytes("data"));
    equal(await subtle.verify(a, other, signed, bytes("data")), true);
    equal(await subtle.verify(a, other, signed, bytes("date")), false);
    const again = await subtle.importKey("jwk", await subtle.exportKey("jwk", own), a, false, ["sign"]);
    equal(hex(await subtle.sign(a, again, bytes("data"))), hex(signed));
  }
  const oaep = { name: "RSA-OAEP", hash: "SHA-1" }, label = bytes("label");
  const own = await subtle.importKey("pkcs8", pkcs8, oaep, false, ["decrypt"]), other = await subtle.importKey("jwk", jwk, oaep, true, ["encrypt"]);
  const sealed = await subtle.encrypt({ name: "RSA-OAEP", label }, other, bytes("secret"));
  equal(hex(await subtle.decrypt({ name: "RSA-OAEP", label }, own, sealed)), hex(bytes("secret")));
  await refuses(subtle.decrypt({ name: "RSA-OAEP" }, own, sealed), "OperationError");
  await refuses(subtle.encrypt({ name: "RSA-OAEP" }, other, new Uint8Array(200)), "OperationError");
  await refuses(subtle.importKey("raw", pkcs8, oaep, true, ["decrypt"]), "NotSupportedError");
  await refuses(subtle.importKey("pkcs8", new Uint8Array(10), oaep, true, ["decrypt"]), "DataError");
  await refuses(subtle.importKey("jwk", { ...jwk, oth: [] }, oaep, true, ["encrypt"]), "NotSupportedError");
  await refuses(subtle.generateKey({ name: "RSA-PSS", hash: "SHA-256", modulusLength: 16384, publicExponent }, true, ["sign"]), "OperationError");
  await refuses(subtle.generateKey({ name: "RSA-PSS", hash: "SHA-256", modulusLength: 2048, publicExponent: new Uint8Array([3]) }, true, ["sign"]), "OperationError");
});

test("keys can't be made up, changed or looked into", async () => {
  throws(() => new CryptoKey(), "TypeError");
  const key = await subtle.generateKey({ name: "AES-GCM", length: 128 }, false, ["encrypt"]);
  key.algorithm.name = "AES-CBC";
  key.usages.push("decrypt");
  const iv = new Uint8Array(12);
  await subtle.encrypt({ name: "AES-GCM", iv }, key, iv);
  await refuses(subtle.decrypt({ name: "AES-GCM", iv }, key, new Uint8Array(20)), "InvalidAccessError");
  equal(Object.keys(key), []);
  const copy = structuredClone({ key }).key;
  equal([copy instanceof CryptoKey, copy.extractable, copy.algorithm.name], [true, false, "AES-GCM"]);
  await refuses(subtle.exportKey("raw", copy), "InvalidAccessError");
  await refuses(subtle.generateKey({ name: "AES-GCM", length: 129 }, true, ["encrypt"]), "OperationError");
  await refuses(subtle.generateKey({ name: "AES-GCM" }, true, ["encrypt"]), "TypeError");
  await refuses(subtle.importKey("raw", new Uint8Array(15), "AES-GCM", true, ["encrypt"]), "DataError");
  await refuses(subtle.importKey("raw", new Uint8Array(16), "DES", true, ["encrypt"]), "NotSupportedError");
});

const early = await subtle.importKey("raw", bytes("key"), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
test("a key that was imported while loading", async () => {
  equal(hex(await subtle.sign("HMAC", early, bytes("x"))).length, 64);
});

test("DigestStream", async () => {
  const stream = new crypto.DigestStream("SHA-256"), writer = stream.getWriter();
  await writer.write(bytes("ab"));
  await writer.write("c");
  await writer.close();
  equal(hex(await stream.digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  equal(String(stream.bytesWritten), "3");
  const empty = new crypto.DigestStream({ name: "md5" });
  await empty.close();
  equal(hex(await empty.digest), "d41d8cd98f00b204e9800998ecf8427e");
  const piped = new crypto.DigestStream("SHA-1");
  await new Response("abc").body.pipeTo(piped);
  equal(hex(await piped.digest), "a9993e364706816aba3e25717850c26c9cd0d89d");
  throws(() => new crypto.DigestStream("SHA-3"), "NotSupportedError");
  const bad = new crypto.DigestStream("SHA-1");
  await refuses(bad.getWriter().write(1), "TypeError");
  await refuses(bad.digest, "TypeError");
});

test("timingSafeEqual", () => {
  equal(subtle.timingSafeEqual(bytes("a"), bytes("a")), true);
  equal(subtle.timingSafeEqual(bytes("a"), bytes("b")), false);
  throws(() => subtle.timingSafeEqual(bytes("a"), bytes("ab")), "TypeError", "same byte length");
});

test("an algorithm is looked at before usages", async () => {
  await refuses(subtle.generateKey({ name: "HMAC", hash: "MD5" }, true, ["decrypt"]), "NotSupportedError");
  await refuses(subtle.importKey("raw", new Uint8Array(8), { name: "HMAC", hash: "MD5" }, true, ["decrypt"]), "NotSupportedError");
});
