// A client of ALEJO: remembers, talks, recalls. docs/clients.md explains every part.
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";
import protobuf from "protobufjs";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FACT = "My dog is called Luna.";
const QUESTION = "What is my dog called?";

const root = fileURLToPath(new URL("../../", import.meta.url));
const files = ["alejo/v1/chat.proto", "alejo/v1/memory.proto"];
const definition = loader.loadSync(files, { includeDirs: [`${root}proto`], keepCase: true, oneofs: true });
const { ChatService, MemoryService } = grpc.loadPackageDefinition(definition).alejo.v1;

const [, scheme, address] = /^(https?:\/\/)?(.*)$/.exec(process.env.ALEJO_CLIENT_URL ?? "http://127.0.0.1:50151");
const secure = scheme === "https://"; // without TLS others can read along: on this machine only
const credentials = secure ? grpc.credentials.createSsl() : grpc.credentials.createInsecure();
const options = { "grpc.service_config": readFileSync(`${root}alejo/service_config.json`, "utf8") };
const chat = new ChatService(address, credentials, options);
const memory = new MemoryService(address, credentials, options);

const metadata = new grpc.Metadata();
if (process.env.ALEJO_API_KEY) metadata.set("authorization", `Bearer ${process.env.ALEJO_API_KEY}`);
if (process.env.ALEJO_USER) metadata.set("x-alejo-user", process.env.ALEJO_USER); // not for a key bound to a user

// A call that has a deadline of its own. Whatever writes carries a request id, so that sending it again does nothing twice.
const within = (seconds) => ({ deadline: Date.now() + seconds * 1000 });
const call = (client, method, request) => promisify(client[method]).call(client, request, metadata, within(10));

async function main() {
  const kept = await call(memory, "Remember", { request_id: randomUUID(), memory: { text: FACT } });
  console.log("remembered:", kept.memories[0].text);

  const turn = { request_id: randomUUID(), text: QUESTION };
  process.stdout.write("answered: ");
  for await (const frame of chat.ChatStream({ chat: turn }, metadata, within(30))) {
    process.stdout.write(frame.delta ?? ""); // "accepted" came first; "done" comes last and is on disk
  }

  const found = await call(memory, "Recall", { query: QUESTION, page_size: 1 });
  console.log("\nrecalled:", found.hits[0].memory.text);
}

// The details of an error are a google.rpc.Status; docs/errors.md says what to do about each reason.
const details = protobuf.parse(`syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message ErrorInfo { string reason = 1; }`).root;

function reason(error) {
  const [packed] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!packed) return grpc.status[error.code]; // said by gRPC itself, which gives no details
  const [info] = details.lookupType("Status").decode(packed).details;
  return details.lookupType("ErrorInfo").decode(info.value).reason;
}

main()
  .catch((error) => {
    console.error(`${reason(error)}: ${error.details ?? error.message}`);
    process.exitCode = 1;
  })
  .finally(() => [chat, memory].forEach((client) => client.close()));
