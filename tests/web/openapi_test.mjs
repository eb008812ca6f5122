// The description of REST, looked at by somebody else's validator (with the schema of OpenAPI 3.1): openapi_test.mjs,
// run through tests/interop/server.py.
import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';

import { modules } from './support.mjs';

const { Validator } = await import(pathToFileURL(modules.resolve('@seriousme/openapi-schema-validator')));
const methods = new Set(['get', 'put', 'post', 'delete', 'patch', 'head', 'options']);

async function problemsWith(document) {
    const result = await new Validator().validate(structuredClone(document));
    return result.valid ? [] : result.errors;
}

const answer = await fetch(`http://localhost:${process.env.EPODE_TEST_HTTP_PORT}/api/v1/openapi.json`);
assert.equal(answer.status, 200);
const document = await answer.json();
assert.match(document.openapi, /^3\.1\./);
assert.deepEqual(await problemsWith(document), []);

// It sees what is wrong.
const path = Object.keys(document.paths)[0];
const method = Object.keys(document.paths[path]).find((name) => methods.has(name));
for (const damage of [
    (copy) => delete copy.info,
    (copy) => (copy.paths[path][method].responses = { 'not a status': {} }),
    (copy) => (copy.paths[path][method].parameters = [{ name: 'x', in: 'nowhere' }]),
    (copy) => (copy.paths[path][method].requestBody = 'a text'),
]) {
    const copy = structuredClone(document);
    damage(copy);
    assert.notDeepEqual(await problemsWith(copy), [], String(damage));
}

// What a schema can't say: every reference leads somewhere, every operation has a name of its own, and every word of a
// path is one of its parameters.
const names = new Set();
let operations = 0;
for (const [template, item] of Object.entries(document.paths)) {
    for (const [name, operation] of Object.entries(item)) {
        if (!methods.has(name)) continue;
        ++operations;
        assert.ok(operation.operationId && !names.has(operation.operationId), `${name} ${template}`);
        names.add(operation.operationId);
        const wanted = [...template.matchAll(/\{(.+?)\}/g)].map((match) => match[1]).sort();
        const declared = [...(item.parameters ?? []), ...(operation.parameters ?? [])]
            .filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name).sort();
        assert.deepEqual(declared, wanted, `${name} ${template}`);
    }
}
assert.ok(operations >= 25, String(operations));
function follow(reference) {
    assert.ok(reference.startsWith('#/'), reference);
    return reference.slice(2).split('/')
        .reduce((at, part) => at?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document);
}
(function look(at) {
    if (at === null || typeof at !== 'object') return;
    if (typeof at.$ref === 'string') assert.ok(follow(at.$ref), at.$ref);
    Object.values(at).forEach(look);
})(document);
