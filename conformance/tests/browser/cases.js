// A Service Worker that serves the conformance cases: requests that the page passes as data, and requests that it
// fetches, with the case in a separate field.
"use strict";

importScripts("sanserve.js");

let logged = "";
const log = (lines) => (logged += lines);
const list = wasm_bindgen({ module_or_path: "sanserve_bg.wasm" }).then(() => new wasm_bindgen.Conformance());

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("message", async ({ data, ports: [port] }) => {
  try {
    logged = "";
    const { name, fragmentation, method, target, fields, content } = data;
    const reply = await (await list).answer(name, fragmentation, method, target, fields, content && stream(content), log);
    const [status, replied, blob] = reply;
    port.postMessage({ status, fields: replied, content: await latin1(blob), log: logged });
  } catch (error) {
    port.postMessage({ error: `${error}` });
  }
});

addEventListener("fetch", (event) => {
  const asked = event.request.headers.get("x-case");
  if (asked !== null) event.respondWith(answer(event, ...JSON.parse(decodeURIComponent(asked))));
});

async function answer({ request, clientId }, name, fragmentation, fields) {
  logged = "";
  // Remove the fields that the browser adds.
  const headers = new Headers(fields.map((field) => [field, request.headers.get(field)]).filter(([, value]) => value !== null));
  const reply = await (await list).fetch(name, fragmentation, new Request(request, { headers }), log);
  // The log is complete now, and is sent to the page before the reply.
  (await clients.get(clientId)).postMessage(logged);
  return reply;
}

function stream(pieces) {
  const bytes = (text) => Uint8Array.from(text, (char) => char.charCodeAt());
  return new ReadableStream({
    pull(to) {
      if (pieces.length > 0) to.enqueue(bytes(pieces.shift()));
      else to.close();
    },
  });
}

async function latin1(blob) {
  let text = "";
  for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte);
  return text;
}
