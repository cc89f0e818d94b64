// @boringnode/transmit with its Redis transport, on Node's own HTTP server.
//
//   node transmit.mjs PORT REDIS-PORT
//
// Its own client opens /__transmit/events and then posts what it wants to subscribe to; here GET /stream/TOPIC does
// both, and sends the state in Redis first. POST /publish/TOPIC sets and broadcasts what it gets.
import { randomUUID } from "node:crypto";
import { Transmit } from "@boringnode/transmit";
import { redis as redisTransport } from "@boringnode/transmit/transports";
import { Redis } from "ioredis";
import { readBody, serve } from "./routes.mjs";

const [port, redisPort] = process.argv.slice(2).map(Number);
const redis = new Redis(redisPort, "127.0.0.1");
// As the AdonisJS provider does: its README names the driver in the options only, where nothing looks for it.
const driver = redisTransport({ host: "127.0.0.1", port: redisPort, keyPrefix: "transmit" });
const transmit = new Transmit({ pingInterval: false, transport: { driver } }, driver());

async function stream(request, response, topic) {
  const uid = randomUUID();
  const context = { request, response };
  const opened = transmit.createStream({ uid, context, request, response });
  const state = await redis.get(`state:${topic}`);
  opened.writeMessage({ data: { channel: topic, payload: JSON.parse(state ?? '{"n":0}') } });
  await transmit.subscribe({ uid, channel: topic, context });
}

async function publish(request, response, topic) {
  const body = await readBody(request);
  await redis.set(`state:${topic}`, body);
  transmit.broadcast(topic, JSON.parse(body));
  response.writeHead(204).end();
}

await redis.ping();
serve("127.0.0.1", port, stream, publish);
