// What JavaScript makes of pages. Reads one body of GetRecords per line, in base64, and writes one line
// for each:
//   not-utf8             the body is not text,
//   refused              it is no answer of GetRecords,
//   next,record,...|key=value,...   otherwise; "unmapped" after the bar where a record leads to no change.
// A record is name:number:time, the time as the bits of a double; texts are in base64; "-" means absent.
// The state after the bar is what a function leaves that stores JSON.stringify(record.dynamodb.NewImage)
// at the value of the key attribute "Id", and deletes on REMOVE.
import { readFileSync } from "node:fs";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const base64 = (text) => Buffer.from(text).toString("base64");
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const isAbsent = (value) => value === undefined || value === null;

function isRecord(record) {
  if (!isObject(record) || !isObject(record.dynamodb)) return false;
  const { Keys, NewImage, SequenceNumber, ApproximateCreationDateTime } = record.dynamodb;
  return ["INSERT", "MODIFY", "REMOVE"].includes(record.eventName) && isObject(Keys)
    && (isAbsent(NewImage) || isObject(NewImage))
    && typeof SequenceNumber === "string" && /^[0-9]{1,40}$/.test(SequenceNumber)
    && (isAbsent(ApproximateCreationDateTime) || Number.isFinite(ApproximateCreationDateTime));
}

function isPage(page) {
  if (!isObject(page) || !Array.isArray(page.Records) || !page.Records.every(isRecord)) return false;
  const next = page.NextShardIterator;
  return isAbsent(next) || (typeof next === "string" && next !== "");
}

function bits(number) {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(number);
  return bytes.toString("hex");
}

function summary({ eventName, dynamodb: { SequenceNumber, ApproximateCreationDateTime } }) {
  const time = isAbsent(ApproximateCreationDateTime) ? "-" : bits(ApproximateCreationDateTime);
  return `${eventName}:${SequenceNumber}:${time}`;
}

function state(records) {
  const last = new Map();
  for (const { eventName, dynamodb: { Keys, NewImage } } of records) {
    const members = isObject(Keys.Id) ? Object.entries(Keys.Id) : [];
    if (members.length !== 1) return "unmapped";
    const [[type, text]] = members;
    if (!["S", "N", "B"].includes(type) || typeof text !== "string") return "unmapped";
    last.set(base64(text), eventName === "REMOVE" ? "-" : NewImage);
  }
  if ([...last.values()].some(isAbsent)) return "unmapped";
  return [...last].map(([key, image]) => `${key}=${image === "-" ? "-" : base64(JSON.stringify(image))}`)
    .sort().join(",");
}

function answer(line) {
  let text, page;
  try { text = utf8.decode(Buffer.from(line, "base64")); } catch { return "not-utf8"; }
  try { page = JSON.parse(text); } catch { return "refused"; }
  if (!isPage(page)) return "refused";
  const next = isAbsent(page.NextShardIterator) ? "-" : base64(page.NextShardIterator);
  return `${[next, ...page.Records.map(summary)].join(",")}|${state(page.Records)}`;
}

const lines = readFileSync(0, "ascii").split("\n").slice(0, -1);
process.stdout.write(lines.map((line) => `${answer(line)}\n`).join(""));
