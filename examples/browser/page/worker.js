// The Service Worker: asks the page for files, the engine for replies.
"use strict";

importScripts("sanserve.js");

// What lies below this, in the scope of the worker, is answered here.
const SITES = new URL("site/", registration.scope).pathname;
const ENGINE = new URL("sanserve_bg.wasm", registration.scope).href;

// The build puts the SHA-256 of the engine here. Sites have the same origin, so each of them can change what is cached,
// but none can change this file.
const ENGINE_SHA256 = "";

// The browser may stop the worker at any time. It starts again from what is kept here, so that the
// server that the page came from is not needed any more.
let engine;
function start() {
  const load = async () => {
    await wasm_bindgen({ module_or_path: (await kept()) ?? (await fetched()) });
  };
  const again = (error) => {
    engine = undefined;
    throw error;
  };
  return (engine ??= load().catch(again));
}

// The engine in the cache, if it is there and nobody has replaced it.
async function kept() {
  const reply = await caches.match(ENGINE);
  const bytes = await reply?.arrayBuffer();
  return bytes && (await isTheEngine(bytes)) ? bytes : undefined;
}

// The engine from the server, which is kept in the cache from then on.
async function fetched() {
  const reply = await fetch(ENGINE, { cache: "reload" });
  const bytes = await reply.arrayBuffer();
  if (!(await isTheEngine(bytes))) {
    throw new Error("the engine is not the one that this worker was built with");
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

addEventListener("install", (event) => event.waitUntil(fetched().then(() => skipWaiting())));

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

// A site, as the page tells of it that holds its files. Paths are those of the engine: below the
// origin, and decoded.
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

  // All pages are asked until one is found that has the site.
  async ask(verb, path) {
    if (path !== this.root && !path.startsWith(`${this.root}/`)) return undefined;
    const question = { site: this.id, [verb]: path.slice(this.root.length + 1) };
    const asked = this.page ? [this.page] : await pages();
    const answers = asked.map(async (page) => {
      const answer = await put(question, page);
      if (!answer) throw undefined;
      this.page = page;
      return answer;
    });
    // Where nobody has the site nothing is there.
    const { found, error } = await Promise.any(answers).catch(() => ({}));
    if (error) throw error;
    return found;
  }
}

// The pages that may have sites. They need not be controlled by this worker.
async function pages() {
  const all = await clients.matchAll({ type: "window", includeUncontrolled: true });
  return all.filter((page) => !new URL(page.url).pathname.startsWith(SITES));
}

// Puts a question to a page: what it has found, an error, or nothing if it has no such site.
function put(question, page) {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
      port1.close();
      resolve(data);
    };
    page.postMessage(question, [port2]);
  });
}
