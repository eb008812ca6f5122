// Puts together what the plugin serves: the parts of Converse.js that a browser asks for, as they
// are, and our own files beside them, with compressed copies of what gets smaller by it.
//
//     node assemble.mjs MODULES OUT [--without-omemo]
//
// MODULES is where npm has put the packages. OUT is made anew:
//
//     OUT/version       the name of the folder in addresses; changes with any byte of any file
//     OUT/index.html    the page, in which the plugin fills in the host's part
//     OUT/files/        everything else, served as /client/<version>/...
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import url from 'node:url';
import zlib from 'node:zlib';

const own = path.dirname(url.fileURLToPath(import.meta.url));
const [modules, out, ...flags] = process.argv.slice(2);
if (!modules || !out || flags.some((flag) => flag !== '--without-omemo')) {
    console.error('usage: node assemble.mjs MODULES OUT [--without-omemo]');
    process.exit(2);
}
const converse = path.join(modules, 'converse.js');
const withOmemo = !flags.includes('--without-omemo');

// Of the package: not the maps, the readable twins of what is minified, the project's own site, and
// what belongs to other ways of embedding it.
const unneeded = /\.map$|^converse\.(js|css)$|^website|^manifest\.json$|^shared-connection-worker\.js$/;
// GPL-3.0, see NOTICE.
const omemo = /^(libomemo\.esm\.min\.js|curve25519_compiled\.wasm)$/;
const compressible = /\.(m?js|css|json|svg|wasm|ttf|ico|txt|html)$/;

function* filesBelow(folder, prefix = '') {
    for (const entry of fs.readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const name = prefix + entry.name;
        if (entry.isDirectory()) yield* filesBelow(path.join(folder, entry.name), name + '/');
        else if (entry.isFile()) yield name;
    }
}

const made = out + '.new';
fs.rmSync(made, { recursive: true, force: true });
const hash = crypto.createHash('sha256');

function put(name, bytes) {
    const target = path.join(made, 'files', name);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, bytes);
    hash.update(name + '\0').update(bytes);
    if (!compressible.test(name)) return;
    const compressed = zlib.gzipSync(bytes, { level: 9 });
    if (compressed.length < bytes.length * 0.9) fs.writeFileSync(target + '.gz', compressed);
}

const dist = path.join(converse, 'dist');
for (const name of filesBelow(dist))
    if (!unneeded.test(name) && (withOmemo || !omemo.test(name)))
        put('converse/' + name, fs.readFileSync(path.join(dist, name)));
put('converse/LICENSE.txt', fs.readFileSync(path.join(converse, 'LICENSE')));
if (withOmemo) put('converse/libomemo.LICENSE.txt', fs.readFileSync(path.join(own, 'licences/GPL-3.0.txt')));

// With its licence at its head.
put('qrcode/qrcode.mjs', fs.readFileSync(path.join(modules, 'qrcode-generator/dist/qrcode.mjs')));

for (const name of filesBelow(path.join(own, 'files'))) put(name, fs.readFileSync(path.join(own, 'files', name)));

// What start.js imports would else be found out one after the other.
const preloads = [...filesBelow(path.join(own, 'files/addons'))]
    .map((name) => `<link rel="modulepreload" href="@FILES@/addons/${name}">\n`).join('');
const index = fs.readFileSync(path.join(own, 'index.html'), 'utf8').replace('@PRELOADS@', preloads);
hash.update(index);
fs.writeFileSync(path.join(made, 'index.html'), index);
const { version } = JSON.parse(fs.readFileSync(path.join(converse, 'package.json'), 'utf8'));
fs.writeFileSync(path.join(made, 'version'), `${version}-${hash.digest('hex').slice(0, 10)}`);

// The old folder stays until the new one is complete.
fs.rmSync(out, { recursive: true, force: true });
fs.renameSync(made, out);
