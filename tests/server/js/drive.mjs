// Drives a server as agent-chat-ui does: an upload, a tool's call, an approval. Prints JSON.
import { Client } from "@langchain/langgraph-sdk";

const { url, key, kimi, png } = JSON.parse(process.argv[2]);
const client = new Client({ apiUrl: url, apiKey: null, defaultHeaders: { Authorization: `Bearer ${key}` } });

const content = [
  { type: "text", text: "What is in the picture?" },
  { type: "image", mimeType: "image/png", data: png, metadata: { name: "dot.png" } },
];
const thread = await client.threads.create();
const events = [];
for await (const part of client.runs.stream(thread.thread_id, "tool_use", {
  input: { messages: [{ id: "1", type: "human", content }] },
  context: { base_url: kimi },
  streamMode: ["values", "messages-tuple"],
  streamSubgraphs: true,
  streamResumable: true,
})) events.push(part);
const state = await client.threads.getState(thread.thread_id);

const paying = await client.threads.create();
await client.runs.wait(paying.thread_id, "tenant", {
  input: { messages: [{ type: "human", content: "pay" }] },
  context: { pay: true },
});
const waiting = await client.threads.getState(paying.thread_id);
const paid = await client.runs.wait(paying.thread_id, "tenant", {
  command: { resume: { decisions: [{ type: "approve" }] } },
  context: { pay: true },
});

const stranger = new Client({ apiUrl: url, apiKey: null });
const refused = await stranger.threads.search().then(() => 200, (error) => error.status);

console.log(JSON.stringify({
  errors: events.filter((part) => part.event === "error"),
  events: [...new Set(events.map((part) => part.event))],
  messages: state.values.messages,
  interrupts: waiting.tasks.flatMap((task) => task.interrupts).map((found) => found.value),
  paid: paid.messages.at(-1).content,
  refused,
}));
