// Trees of the files that a user has dropped or chosen. Each tree has two methods. Paths are relative to its
// root, without a "/" at either end.
//
//   open(path)   promises { blob, modified, checksum } for a file, { } for a folder, undefined for a missing path
//   list(path)   promises the entries of a folder: { name, size, modified } for a file, { name } for a folder,
//                whose name ends with "/"
//
// Files are read only when they are requested.

const FOLDER = {};

const openFile = (file) => ({ blob: file, modified: file.lastModified });
const listFile = (name, file) => ({ name, size: file.size, modified: file.lastModified });

// A dropped folder, which the browser reads on demand.
class EntryTree {
  constructor(entry) {
    this.entry = entry;
  }

  async open(path) {
    if (path === "") return FOLDER;
    try {
      const entry = await this.find("getFile", path);
      return openFile(await new Promise((resolve, reject) => entry.file(resolve, reject)));
    } catch (error) {
      if (error.name === "TypeMismatchError") return FOLDER;
      if (error.name === "NotFoundError") return undefined;
      throw error;
    }
  }

  async list(path) {
    const folder = path === "" ? this.entry : await this.find("getDirectory", path);
    const reader = folder.createReader();
    const list = [];
    // readEntries() returns a few entries at a time, and none at the end.
    for (let some = [null]; some.length > 0; ) {
      some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      list.push(...await Promise.all(some.map(EntryTree.listEntry)));
    }
    return list;
  }

  // An unreadable file is listed with its name only.
  static async listEntry(entry) {
    if (entry.isDirectory) return { name: `${entry.name}/` };
    const file = new Promise((resolve, reject) => entry.file(resolve, reject));
    return file.then((file) => listFile(entry.name, file), () => ({ name: entry.name }));
  }

  find(method, path) {
    return new Promise((resolve, reject) => this.entry[method](path, {}, resolve, reject));
  }
}

// A tree of known files, given as [path, file] pairs.
class FileTree {
  constructor(files) {
    this.files = new Map(files);
    this.folders = new Map([["", new Set()]]);
    for (const path of this.files.keys()) this.add(path, "");
  }

  add(path, slash) {
    const at = path.lastIndexOf("/");
    const above = path.slice(0, Math.max(at, 0));
    if (!this.folders.has(above)) {
      this.folders.set(above, new Set());
      this.add(above, "/");
    }
    this.folders.get(above).add(path.slice(at + 1) + slash);
  }

  async open(path) {
    const file = this.files.get(path);
    return file ? openFile(file) : this.folders.has(path) ? FOLDER : undefined;
  }

  async list(path) {
    const above = path === "" ? "" : `${path}/`;
    return [...this.folders.get(path)].map((name) => {
      const file = this.files.get(above + name);
      return file ? listFile(name, file) : { name };
    });
  }
}

// The files in a .zip. A deflated file is inflated on its first request, into a Blob, which the browser keeps on
// disk if it is large; so ranges of it can be sent like those of any file.
class ZipTree {
  constructor(zip) {
    this.zip = zip;
    this.inflated = new Map();
  }

  static async read(file) {
    return new ZipTree(await wasm_bindgen.Zip.read(file));
  }

  async open(path) {
    const found = await this.zip.open(path);
    if (!found?.packed) return found && FOLDER;
    const { packed, deflated, size, modified, checksum } = found;
    if (!deflated) return { blob: packed, modified, checksum };
    if (!this.inflated.has(path)) {
      const blob = inflate(packed, size);
      blob.catch(() => this.inflated.delete(path));
      this.inflated.set(path, blob);
    }
    return { blob: await this.inflated.get(path), modified, checksum };
  }

  async list(path) {
    // Objects of wasm-bindgen cannot be posted to the worker.
    return this.zip.list(path).map(({ name, size, modified }) => ({ name, size, modified }));
  }
}

async function inflate(packed, size) {
  let length = 0;
  const measured = new TransformStream({
    transform(piece, stream) {
      length += piece.length;
      if (length > size) throw new Error("a file in this .zip is longer than announced");
      stream.enqueue(piece);
    },
  });
  const inflated = packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const blob = await new Response(inflated.pipeThrough(measured)).blob();
  if (blob.size !== size) throw new Error("a file in this .zip is shorter than announced");
  return blob;
}

// Makes a tree of a drop: the contents of one folder or one .zip, or else the dropped files. Promises [name, tree].
async function treeOfDrop(transfer) {
  // All items have to be read before the first await: the browser clears the transfer after the event.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.());
  const files = items.map((item) => item.getAsFile());
  if (entries.length === 1 && entries[0]?.isDirectory) return [entries[0].name, new EntryTree(entries[0])];
  if (entries.some((entry) => entry?.isDirectory)) throw new Error("drop one folder at a time, or only files.");
  return treeOfFiles(files);
}

// Makes a tree of chosen files. Promises [name, tree].
async function treeOfFiles(files) {
  files = [...files];
  if (files.length === 0) throw new Error("the folder is empty.");
  const [first] = files;
  if (first.webkitRelativePath) {
    const [name] = first.webkitRelativePath.split("/");
    return [name, new FileTree(files.map((file) => [file.webkitRelativePath.slice(name.length + 1), file]))];
  }
  if (files.length === 1 && /\.zip$/i.test(first.name)) return [first.name.slice(0, -4), await ZipTree.read(first)];
  return [files.length === 1 ? first.name : `${files.length} files`, new FileTree(files.map((file) => [file.name, file]))];
}
