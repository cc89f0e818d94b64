// What stands behind pushpin: tells it to hold streams, and hands it what Redis publishes.
//
//   node pushpin-origin.mjs ADDRESS PORT CONTROL-ADDRESS REDIS-PORT
//
// GET /stream/TOPIC answers the state in Redis, and GRIP's headers that have pushpin hold the stream. POST
// /publish/TOPIC sets and publishes what it gets. Pushpins don't talk to each other: each origin gives to its own.
import { Agent, request as send } from "node:http";
import { Redis } from "ioredis";
import { publishInRedis, serve } from "./routes.mjs";

const [address, port, control, redisPort] = process.argv.slice(2);
const redis = new Redis(Number(redisPort), "127.0.0.1");
const subscriber = new Redis(Number(redisPort), "127.0.0.1");
const agent = new Agent({ keepAlive: true, maxSockets: 1 }); // one connection: what is published stays in order
let waiting = []; // items that came while a publish was on its way; they go together in the next
let isPublishing = false;

function push(items) {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ items });
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
    const call = send({ host: control, port, path: "/publish/", method: "POST", agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`pushpin answers ${answer.statusCode}`)),
      );
    });
    call.on("error", reject);
    call.end(body);
  });
}

async function pushAll() {
  isPublishing = true;
  while (waiting.length > 0) await push(waiting.splice(0, 1000));
  isPublishing = false;
}

subscriber.on("pmessage", (_pattern, channel, message) => {
  const formats = { "http-stream": { content: `data: ${message}\n\n` } };
  waiting.push({ channel: channel.slice("bench:".length), formats });
  if (isPublishing) return;
  pushAll().catch((error) => {
    console.error(error);
    process.exit(1);
  });
});

async function stream(_request, response, topic) {
  const state = await redis.get(`state:${topic}`);
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "grip-hold": "stream",
    "grip-channel": topic,
    "grip-keep-alive": ":\\n\\n; format=cstring; timeout=55",
  });
  response.end(`data: ${state ?? '{"n":0}'}\n\n`);
}

const publish = (request, response, topic) => publishInRedis(redis, request, response, topic);

await subscriber.psubscribe("bench:*");
serve(address, Number(port), stream, publish);
