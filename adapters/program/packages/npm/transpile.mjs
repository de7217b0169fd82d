// Turns a WebAssembly component into a JavaScript module for Node. Arguments: the component, the folder of the module.
import { mkdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { argv } from 'node:process';
import { transpile } from '@bytecodealliance/jco-transpile';

const [component, folder] = argv.slice(2);
const { files } = await transpile(component, { name: 'sanserve', noTypescript: true });
await mkdir(folder, { recursive: true });
for (const [name, bytes] of Object.entries(files)) {
    if (!name.endsWith('.d.ts')) {
        await writeFile(join(folder, basename(name)), bytes);
    }
}
