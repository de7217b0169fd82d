#!/usr/bin/env node
// Runs the command, a WebAssembly component, with the current directory as its only directory.
import { argv, cwd, exit, stderr, stdin, stdout } from 'node:process';
import {
    _setArgs, _setCwd, _setTerminalStderr, _setTerminalStdin, _setTerminalStdout,
} from '@bytecodealliance/preview2-shim/cli';
import { _setPreopens } from '@bytecodealliance/preview2-shim/filesystem';

_setArgs(['sanserve', ...argv.slice(2)]);
_setPreopens({ '/': cwd() });
_setCwd('/');
// By default every stream counts as a terminal.
for (const [stream, set] of [[stdin, _setTerminalStdin], [stdout, _setTerminalStdout], [stderr, _setTerminalStderr]]) {
    if (!stream.isTTY) {
        set(undefined);
    }
}
const { run } = await import('./component/sanserve.js');
try {
    run.run();
} catch (error) {
    // The command has already said what was wrong, and only failed.
    if (error instanceof Error && !('payload' in error)) {
        stderr.write(`sanserve: error: ${error.message}\n`);
    }
    exit(1);
}
