// The page: accepts folders and files, keeps them, and answers the worker's questions about them.
"use strict";

const $ = (id) => document.getElementById(id);
const sites = new Map(); // from id to tree

start().catch((error) => say(`This page does not work in this browser: ${error.message}`, true));

async function start() {
  if (!navigator.serviceWorker) throw new Error("a Service Worker needs HTTPS or localhost.");
  navigator.serviceWorker.onmessage = onMessage;
  await navigator.serviceWorker.register("worker.js");
  await navigator.serviceWorker.ready;
  await wasm_bindgen({ module_or_path: "sanserve_bg.wasm" });
  // A background tab that holds a lock is not suspended.
  navigator.locks?.request(`sites of ${crypto.randomUUID()}`, () => new Promise(() => {}));
  for (const button of document.querySelectorAll("button")) button.disabled = false;
  document.documentElement.dataset.ready = "";
}

// Answers a question of the worker about a path, or shows its log lines.
async function onMessage({ data, ports: [port] }) {
  const tree = sites.get(data.site);
  if (data.log) return tree && log(data.log);
  if (!tree) return port.postMessage(null);
  try {
    port.postMessage({ found: await ("open" in data ? tree.open(data.open) : tree.list(data.list)) });
  } catch (error) {
    port.postMessage({ error });
  }
}

async function serve(pending) {
  try {
    say("Reading …");
    const [name, tree] = await pending;
    const id = `${name.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "")}-${suffix()}`;
    sites.set(id, tree);
    show(id, name);
    say(`Serving ${name}.`);
  } catch (error) {
    say(`Cannot serve that: ${error.message}`, true);
  }
}

// Gives folders with the same name in two tabs different addresses.
function suffix() {
  return crypto.getRandomValues(new Uint16Array(1))[0].toString(36).padStart(4, "0");
}

function show(id, name) {
  const item = $("site").content.cloneNode(true).firstElementChild;
  const url = new URL(`site/${id}/`, location.href).href;
  const link = item.querySelector("a");
  item.querySelector(".name").textContent = name;
  link.href = url;
  link.textContent = url;
  item.querySelector(".copy").onclick = async () => {
    await navigator.clipboard.writeText(url);
    say("Address copied.");
  };
  item.querySelector(".stop").onclick = () => {
    sites.delete(id);
    item.remove();
    $("sites").hidden = sites.size === 0;
    say(`Stopped serving ${name}.`);
    $("folder-button").focus();
  };
  for (const button of item.querySelectorAll("button")) button.setAttribute("aria-label", `${button.textContent} ${name}`);
  $("list").prepend(item);
  $("sites").hidden = false;
}

function say(text, wrong = false) {
  $("status").textContent = text;
  $("status").classList.toggle("wrong", wrong);
}

function log(lines) {
  const panel = $("log");
  const atEnd = panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 4;
  for (const line of lines.trimEnd().split("\n")) {
    const row = document.createElement("div");
    // The client is always this browser.
    row.textContent = line.replace(/^- - - /, "");
    row.className = /" [45]\d\d /.test(line) ? "wrong" : "";
    panel.append(row);
  }
  while (panel.childElementCount > 500) panel.firstElementChild.remove();
  if (atEnd) panel.scrollTop = panel.scrollHeight;
}

$("folder-button").onclick = () => $("folder").click();
$("files-button").onclick = () => $("files").click();
$("sample-button").onclick = () => serve(["sample", sample()]);
for (const input of [$("folder"), $("files")]) {
  input.onchange = async () => {
    if (input.files.length > 0) await serve(treeOfFiles(input.files));
    input.value = "";
  };
}

// Accepts a drop anywhere on the page.
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("drop").classList.remove("over");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  serve(treeOfDrop(event.dataTransfer));
});
