// undici's request() over one Pool or Agent. "Threads" are concurrent loops: JavaScript has one thread.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';

const { values: flags } = parseArgs({
    options: {
        url: { type: 'string' }, requests: { type: 'string', default: '1000' }, threads: { type: 'string', default: '1' },
        protocol: { type: 'string', default: 'http' }, ca: { type: 'string' }, api: { type: 'string', default: 'text' },
        'vary-path': { type: 'boolean' }, 'new-connection': { type: 'boolean' }, connections: { type: 'string' },
        upload: { type: 'string', default: '0' },
    },
});
const threads = Number(flags.threads);
const upload = Number(flags.upload) ? Buffer.alloc(Number(flags.upload), 'u') : undefined;

const dispatcher = new Agent({
    connections: flags.connections ? Number(flags.connections) : threads,
    pipelining: 1, // HTTP/2: one stream at a time for each loop, as the others
    allowH2: flags.protocol === 'h2',
    connect: flags.ca ? { ca: readFileSync(flags.ca) } : {},
});

async function send(n) {
    const url = flags['vary-path'] ? `${flags.url}/items/${n}?page=${n}` : flags.url;
    const { statusCode, body } = await request(url, {
        dispatcher, method: upload ? 'POST' : 'GET', body: upload, reset: flags['new-connection'],
    });
    if (statusCode !== 200) throw new Error(`status ${statusCode}`);
    if (flags.api !== 'read') return (await body.text()).length;
    let size = 0;
    for await (const chunk of body) size += chunk.length;
    return size;
}

async function loop(count) {
    let bytes = 0;
    for (let n = 0; n < count; n++) bytes += await send(n);
    return bytes;
}

const all = (count) => Promise.all(Array.from({ length: threads }, () => loop(count)));
await all(1);
const begin = process.hrtime.bigint();
const bytes = (await all(Math.floor(Number(flags.requests) / threads))).reduce((sum, part) => sum + part, 0);
const seconds = Number(process.hrtime.bigint() - begin) / 1e9;
const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1];
console.log(JSON.stringify({ contender: 'undici', requests: Number(flags.requests), seconds, bytes, peak_kib: Number(peak) }));
await dispatcher.close();
