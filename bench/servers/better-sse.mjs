// A Node server as most people write it: better-sse for the streams, ioredis for what comes from other instances.
//
//   node better-sse.mjs PORT REDIS-PORT
//
// GET /stream/TOPIC sends the state in Redis, then each message of the Redis channel. POST /publish/TOPIC sets and
// publishes what it gets.
import { createChannel, createSession } from "better-sse";
import { Redis } from "ioredis";
import { publishInRedis, serve } from "./routes.mjs";

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = new Redis(redisPort, "127.0.0.1");
const subscriber = new Redis(redisPort, "127.0.0.1");
const channels = new Map(); // of each topic that has a client here: { channel, ready, clients }

subscriber.on("message", (name, message) => {
  channels.get(name)?.channel.broadcast(JSON.parse(message));
});

function join(name, response) {
  let entry = channels.get(name);
  if (!entry) {
    entry = { channel: createChannel(), ready: subscriber.subscribe(name), clients: 0 };
    channels.set(name, entry);
  }
  entry.clients++;
  response.on("close", () => {
    if (--entry.clients > 0) return;
    channels.delete(name);
    subscriber.unsubscribe(name);
  });
  return entry;
}

async function stream(request, response, topic) {
  const { channel, ready } = join(`bench:${topic}`, response);
  await ready;
  const session = await createSession(request, response);
  const state = await redis.get(`state:${topic}`);
  if (!session.isConnected) return;
  session.push(JSON.parse(state ?? '{"n":0}'));
  channel.register(session);
}

const publish = (request, response, topic) => publishInRedis(redis, request, response, topic);

await Promise.all([redis.ping(), subscriber.ping()]);
serve("127.0.0.1", port, stream, publish);
