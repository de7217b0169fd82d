// The Service Worker: gets files from the page and replies from the engine.
"use strict";

importScripts("sanserve.js");

// The worker answers requests for paths below this one.
const SITES = new URL("site/", registration.scope).pathname;
const ENGINE = new URL("sanserve_bg.wasm", registration.scope).href;

// The build inserts the SHA-256 of the engine here. All sites share the origin, so any of them can change the cache,
// but not this file.
const ENGINE_SHA256 = "";

// The browser may stop the worker at any time. The worker restarts from the cached engine, so the server that the page
// came from is no longer needed.
let engine;
function start() {
  const load = async () => {
    await wasm_bindgen({ module_or_path: (await fromCache()) ?? (await fromServer()) });
  };
  const retryLater = (error) => {
    engine = undefined;
    throw error;
  };
  return (engine ??= load().catch(retryLater));
}

// The engine from the cache, if it is there and has the right SHA-256.
async function fromCache() {
  const reply = await caches.match(ENGINE);
  const bytes = await reply?.arrayBuffer();
  return bytes && (await isTheEngine(bytes)) ? bytes : undefined;
}

// The engine from the server; adds it to the cache.
async function fromServer() {
  const reply = await fetch(ENGINE, { cache: "reload" });
  const bytes = await reply.arrayBuffer();
  if (!(await isTheEngine(bytes))) {
    throw new Error("the engine has changed since this worker was built");
  }
  const cache = await caches.open("engine");
  await cache.put(ENGINE, new Response(bytes, { headers: { "Content-Type": "application/wasm" } }));
  return bytes;
}

async function isTheEngine(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0"));
  return hex.join("") === ENGINE_SHA256;
}

addEventListener("install", (event) => event.waitUntil(fromServer().then(() => skipWaiting())));

addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (url.origin === location.origin && url.pathname.startsWith(SITES)) {
    event.respondWith(answer(event.request, url.pathname.slice(SITES.length).split("/")[0]));
  }
});

async function answer(request, id) {
  await start();
  const site = new Site(id);
  return wasm_bindgen.answer(request, site, (lines) => site.log(lines));
}

// A site whose files are in a page. Paths are those of the engine: below the origin, and decoded.
class Site {
  constructor(id) {
    this.id = id;
    this.root = decodeURIComponent(SITES).slice(1) + id;
    this.page = null;
  }

  async open(path) {
    return this.ask("open", path);
  }

  async list(path) {
    return this.ask("list", path);
  }

  async log(lines) {
    for (const page of await pages()) page.postMessage({ site: this.id, log: lines });
  }

  // Asks all pages until one of them turns out to have the site.
  async ask(verb, path) {
    if (path !== this.root && !path.startsWith(`${this.root}/`)) return undefined;
    const question = { site: this.id, [verb]: path.slice(this.root.length + 1) };
    const asked = this.page ? [this.page] : await pages();
    const answers = asked.map(async (page) => {
      const answer = await send(question, page);
      if (!answer) throw undefined;
      this.page = page;
      return answer;
    });
    // Without a page that has the site, the path is missing.
    const { found, error } = await Promise.any(answers).catch(() => ({}));
    if (error) throw error;
    return found;
  }
}

// The pages that may have sites, whether or not this worker controls them.
async function pages() {
  const all = await clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => !new URL(page.url).pathname.startsWith(SITES));
}

// Sends a question to a page. Promises what it found, an error, or null if it does not have the site.
function send(question, page) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
      port1.close();
      resolve(data);
    };
    page.postMessage(question, [port2]);
  });
}
