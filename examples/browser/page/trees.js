// What a user has dropped or chosen, as trees of files. Each has two methods, whose paths are relative
// to its root, without a "/" at either end:
//
//   open(path)   promises { blob, modified, checksum } of a file, { } of a folder, undefined of nothing
//   list(path)   promises what is in a folder: { name, size, modified } of a file, { name } of a folder, with
//                a "/" behind the name
//
// Nothing is read before it is asked for.

const FOLDER = {};

const ofFile = (file) => ({ blob: file, modified: file.lastModified });
const inList = (name, file) => ({ name, size: file.size, modified: file.lastModified });

// A folder that was dropped: the browser reads it when it is asked.
class Dropped {
  constructor(entry) {
    this.entry = entry;
  }

  async open(path) {
    if (path === "") return FOLDER;
    try {
      const entry = await this.find("getFile", path);
      return ofFile(await new Promise((resolve, reject) => entry.file(resolve, reject)));
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
    // It tells some at a time, and none at the end.
    for (let some = [null]; some.length > 0; ) {
      some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      list.push(...await Promise.all(some.map(Dropped.listed)));
    }
    return list;
  }

  // Of what may not be read there is the name.
  static async listed(entry) {
    if (entry.isDirectory) return { name: `${entry.name}/` };
    const file = new Promise((resolve, reject) => entry.file(resolve, reject));
    return file.then((file) => inList(entry.name, file), () => ({ name: entry.name }));
  }

  find(method, path) {
    return new Promise((resolve, reject) => this.entry[method](path, {}, resolve, reject));
  }
}

// Files that are all known: [path, file] of each.
class Listed {
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
    return file ? ofFile(file) : this.folders.has(path) ? FOLDER : undefined;
  }

  async list(path) {
    const above = path === "" ? "" : `${path}/`;
    return [...this.folders.get(path)].map((name) => {
      const file = this.files.get(above + name);
      return file ? inList(name, file) : { name };
    });
  }
}

// A .zip. What is deflated in it is inflated when it is first asked for, into a Blob, which the browser
// keeps on a disk if it is large; so parts of it can be sent as of any file.
class Zipped {
  constructor(zip) {
    this.zip = zip;
    this.inflated = new Map();
  }

  static async read(file) {
    return new Zipped(await wasm_bindgen.Zip.read(file));
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
    // As they are they could not be told to the worker.
    return this.zip.list(path).map(({ name, size, modified }) => ({ name, size, modified }));
  }
}

async function inflate(packed, size) {
  let length = 0;
  const measured = new TransformStream({
    transform(piece, stream) {
      length += piece.length;
      if (length > size) throw new Error("more comes out of this .zip than it says");
      stream.enqueue(piece);
    },
  });
  const inflated = packed.stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const blob = await new Response(inflated.pipeThrough(measured)).blob();
  if (blob.size !== size) throw new Error("less comes out of this .zip than it says");
  return blob;
}

// A tree of what was dropped: of a folder what is in it, of a .zip what is in it, of anything else the
// files by their names. Answers [name, tree].
async function treeOfDrop(transfer) {
  // All of it has to be asked for at once; when the event is over nothing is left there.
  const items = [...transfer.items].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.());
  const files = items.map((item) => item.getAsFile());
  if (entries.length === 1 && entries[0]?.isDirectory) return [entries[0].name, new Dropped(entries[0])];
  if (entries.some((entry) => entry?.isDirectory)) throw new Error("Drop one folder at a time, or files alone.");
  return treeOfFiles(files);
}

// The same of files that were chosen.
async function treeOfFiles(files) {
  files = [...files];
  if (files.length === 0) throw new Error("There is no file in that folder.");
  const [first] = files;
  if (first.webkitRelativePath) {
    const [name] = first.webkitRelativePath.split("/");
    return [name, new Listed(files.map((file) => [file.webkitRelativePath.slice(name.length + 1), file]))];
  }
  if (files.length === 1 && /\.zip$/i.test(first.name)) return [first.name.slice(0, -4), await Zipped.read(first)];
  return [files.length === 1 ? first.name : `${files.length} files`, new Listed(files.map((file) => [file.name, file]))];
}
