/**
 * The page: files in, verdicts out. What verifies is a session, here or in a worker.
 *
 * @module
 */

import { decodeBlockProof, decodeHeader } from "chunkproof/verifier";
import { digitsOf, wordToHex } from "./ethereum.js";
import { workerSession } from "./remote.js";
import { localSession } from "./session.js";

/** @typedef {import("./follow.js").FollowEvent} FollowEvent */
/** @typedef {import("./replica.js").Info} Info */
/** @typedef {import("./replica.js").Report} Report */
/** @typedef {import("./session.js").Session} Session */
/** @typedef {{ name: string, bytes: Uint8Array }} Proof */

/** Faults that say nothing about a proof, only that it can't be judged here and now. */
const UNDECIDED = new Set(["BLOCK_PRE_STATE", "BLOCK_ANCESTRY"]);
/** Rows of a table that anybody reads. */
const MAX_RECEIPTS = 200;

/** @template {HTMLElement} [T=HTMLElement] @param {string} id @returns {T} */
const the = (id) => /** @type {T} */ (document.getElementById(id));
/** @param {string} id @returns {HTMLInputElement} */
const input = (id) => the(id);
/** @param {string} id @returns {HTMLButtonElement} */
const button = (id) => the(id);

/**
 * An element. Text is always text: what a proof makes a message say can't become markup.
 *
 * @param {string} name tag and classes, as in `p.error`
 * @param {...(Node | string)} children
 */
function h(name, ...children) {
  const [tag, ...classes] = name.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  element.append(...children);
  return element;
}

/** @param {HTMLElement} list @param {Record<string, string>} entries */
function describe(list, entries) {
  list.replaceChildren(...Object.entries(entries).flatMap(([name, text]) => [h("dt", name), h("dd", text)]));
}

/** @param {unknown} error */
const messageOf = (error) => {
  const { message = String(error), code } = /** @type {any} */ (error ?? {});
  return code === undefined ? message : `${code}: ${message}`;
};
/** @param {bigint} address */
const addressText = (address) => `0x${address.toString(16).padStart(40, "0")}`;
/** @param {number} ms */
const milliseconds = (ms) => `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
/** @param {number} n @param {string} one @param {string} [many] */
const count = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

// Frames: a mark that this thread moves, so that it stands still when the thread does (an animation in CSS would go on).

const still = matchMedia("(prefers-reduced-motion: reduce)");
let lastFrame = Number.NaN;
let longestGap = 0;

function frame() {
  // not the time that the callback is given: that of a frame which was due while the thread stood still
  const now = performance.now();
  const gap = now - lastFrame;
  // a hidden page has no frames
  if (gap > longestGap && !document.hidden) longestGap = gap;
  lastFrame = document.hidden ? Number.NaN : now;
  if (!still.matches) {
    const at = (now / 1600) % 2;
    the("pulse").style.translate = `${(at < 1 ? at : 2 - at) * 733}%`;
  }
  requestAnimationFrame(frame);
}
requestAnimationFrame(frame);

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

function showGap() {
  the("gap").textContent = milliseconds(longestGap);
  the("gap").dataset.ms = String(longestGap);
}

// The replica.

/** Texts of the files. @type {{ keys?: string, state?: string }} */
const files = {};
/** @type {Session | undefined} */
let session;
/** @type {Info | undefined} */
let info;
let busy = false;
/** Proofs that came before the replica was there. @type {Proof[]} */
let early = [];
/** Of the coordinator that is being followed. @type {AbortController | undefined} */
let following;

/** @param {string} message none if empty */
function problem(message) {
  the("problem").textContent = message;
  the("problem").hidden = message === "";
}

/** Shows where the replica stands, and what can be done now. */
function show() {
  const ready = info !== undefined && !busy;
  for (const id of ["keys", "state", "digest", "insecure", "worker", "page"]) input(id).disabled = busy;
  input("proofs").disabled = !ready;
  input("origin").disabled = busy;
  button("follow").disabled = following === undefined && !ready;
  button("follow").textContent = following === undefined ? "Follow" : "Stop";
  button("again").disabled = !ready;
  the("proofs-info").textContent =
    early.length === 0 ? "" : `${count(early.length, "proof")} will be verified when keys and state are there`;
  the("results").setAttribute("aria-busy", String(busy));
  the("head-title").textContent = info === undefined ? "No state yet" : `State after block ${info.head.number}`;
  describe(
    the("head"),
    info === undefined
      ? {}
      : {
          "state root": wordToHex(info.head.stateRoot),
          "block hash": wordToHex(info.head.hash),
          chain: String(info.chainId),
          accounts: info.accounts.toLocaleString("en"),
        },
  );
  if (info === undefined) return;
  const { digest, insecure, names } = info.keys;
  const pinned = input("digest").value.trim() === digest ? "as you demand" : "any would have been accepted";
  the("keys-info").textContent =
    `${insecure ? "development keys" : "keys"} for ${count(names.length, "layout")}, digest ${digest} (${pinned})`;
}

/** Makes the replica anew from the files, in the place that is chosen. */
async function reopen() {
  session?.close();
  session = undefined;
  info = undefined;
  problem("");
  show();
  const { keys: keySet, state: snapshot } = files;
  if (keySet === undefined || snapshot === undefined) return;
  const mine = input("worker").checked ? workerSession() : localSession();
  session = mine;
  try {
    const digest = input("digest").value.trim() || undefined;
    const opened = await mine.open({ keySet, snapshot, digest, allowInsecure: input("insecure").checked });
    if (session !== mine) return;
    info = opened;
    the("state-info").textContent = `block ${info.head.number}; its root was computed from the accounts`;
  } catch (error) {
    if (session === mine) problem(messageOf(error));
  }
  show();
  await verifyAll([]);
}

/** Runs what needs the replica for itself. @param {(session: Session) => Promise<void>} work */
async function run(work) {
  if (session === undefined || busy) return;
  busy = true;
  problem("");
  show();
  await nextFrame();
  longestGap = 0;
  try {
    await work(session);
  } catch (error) {
    problem(messageOf(error));
  }
  // the last gap ends with the next frame
  await nextFrame();
  await nextFrame();
  showGap();
  busy = false;
  show();
}

/** Number of the block that a proof is of; undefined if it can't be read. @param {Proof} proof */
function numberOf({ bytes }) {
  try {
    return decodeHeader(decodeBlockProof(bytes).header).number;
  } catch {
    return undefined;
  }
}

/**
 * Proofs in the order of their blocks. Those of one block are all judged on the same state, and the first that holds is
 * the next. Without a replica they wait for one.
 *
 * @param {readonly Proof[]} proofs
 */
async function verifyAll(proofs) {
  const all = [...early, ...proofs];
  early = info === undefined ? all : [];
  show();
  if (info === undefined || all.length === 0) return;
  await run(async (opened) => {
    /** @type {Map<bigint | undefined, Proof[]>} */
    const groups = new Map();
    for (const proof of all) {
      const number = numberOf(proof);
      groups.set(number, [...(groups.get(number) ?? []), proof]);
    }
    const numbers = [...groups.keys()].sort((a, b) => (a === undefined || (b !== undefined && a > b) ? 1 : -1));
    for (const number of numbers) {
      for (const { name, bytes } of groups.get(number) ?? []) {
        addVerdict(await opened.verify(bytes), name);
        showGap();
        // even on this thread every verdict is seen as soon as it is there
        await nextFrame();
      }
      info = await opened.goOn();
      show();
    }
  });
}

/** @param {string} origin */
const follow = (origin) =>
  run(async (opened) => {
    const controller = new AbortController();
    following = controller;
    show();
    try {
      await opened.follow(origin, 1000, controller.signal, (event) => {
        if ("report" in event) addVerdict(event.report, new URL(origin).host);
        else if ("info" in event) info = event.info;
        the("follow-info").textContent = "waiting" in event ? `Waiting: ${event.waiting}` : "Verifying …";
        showGap();
        show();
      });
    } finally {
      following = undefined;
      the("follow-info").textContent = "";
    }
  });

// Verdicts.

/** @param {Report} report @param {string} source */
function addVerdict(report, source) {
  const { valid, faults, header, hash, bytes, ms } = report;
  const undecided = !valid && faults.every(({ code }) => UNDECIDED.has(code));
  const verdict = valid ? "Valid" : undecided ? "Cannot be judged here" : "Refused";
  const title = h(
    "h3",
    h("span.verdict", verdict),
    header === undefined ? "no block could be read" : `block ${header.number}`,
    h("small.aside", `${source}, ${bytes.toLocaleString("en")} bytes, ${milliseconds(ms)}`),
  );
  const card = h(`li.card.${valid ? "valid" : undecided ? "undecided" : "refused"}`, title);
  Object.assign(card.dataset, { verdict: valid ? "valid" : "refused", number: header?.number, source, ms });
  const facts = h("dl");
  if (hash !== undefined && header !== undefined) card.append(facts);
  if (valid) {
    const { accounts, slots } = report.stateDiff;
    describe(facts, {
      "block hash": wordToHex(/** @type {bigint} */ (hash)),
      "gas used": `${report.gasUsed.toLocaleString("en")} of ${report.header.gasLimit.toLocaleString("en")}`,
      transactions: report.transactions.length.toLocaleString("en"),
      "state changes": `${count(accounts.length, "account")}, ${count(slots.length, "slot")}`,
    });
    if (report.receipts.length > 0) card.append(receipts(report));
  } else {
    if (hash !== undefined) describe(facts, { "claimed hash": wordToHex(hash) });
    card.append(faultList(faults));
  }
  the("empty").hidden = true;
  the("verdicts").prepend(card);
}

/** What several places have in common is said once. @param {Report["faults"]} faults */
function faultList(faults) {
  /** @type {Map<string, { code: string, message: string, places: string[] }>} */
  const found = new Map();
  for (const { code, where, message } of faults) {
    const text = message.startsWith(`${where}: `) ? message.slice(where.length + 2) : message;
    const fault = found.get(`${code} ${text}`) ?? { code, message: text, places: [] };
    if (where !== "") fault.places.push(where);
    found.set(`${code} ${text}`, fault);
  }
  const items = [...found.values()].map(({ code, message, places }) => {
    const item = h("li", h("strong.mono", code), places.length === 0 ? "" : " in ", h("code", places.join(", ")));
    item.append(h("p", message));
    item.dataset.code = code;
    return item;
  });
  return h("ul.faults", ...items);
}

/** @param {Report & { valid: true }} report */
function receipts({ receipts: list, transactions }) {
  const row = (/** @type {string} */ tag, /** @type {readonly string[]} */ cells) =>
    h("tr", ...cells.map((cell) => h(tag, cell)));
  const rows = list.slice(0, MAX_RECEIPTS).map(({ type, status, cumulativeGasUsed, logs }, i) => {
    const { sender, transaction } = transactions[i];
    const gas = cumulativeGasUsed - (i === 0 ? 0n : list[i - 1].cumulativeGasUsed);
    const line = row("td", [
      String(i),
      status === 1 ? "success" : "failed",
      String(type),
      gas.toLocaleString("en"),
      logs.map(({ topics }) => (topics.length === 0 ? "no topic" : `${wordToHex(topics[0]).slice(0, 10)}…`)).join(", "),
    ]);
    const data = logs.map((log) => `${addressText(log.address)}: 0x${digitsOf(log.data)}`);
    line.title = [`${addressText(sender)} → ${addressText(transaction.to)}`, ...data].join("\n");
    return line;
  });
  const more = list.length > MAX_RECEIPTS ? [h("p", `and ${list.length - MAX_RECEIPTS} more`)] : [];
  const head = h("thead", row("th", ["#", "status", "type", "gas used", "events"]));
  const table = h("div.scroll", h("table", head, h("tbody", ...rows)), ...more);
  // what scrolls must be within reach of a keyboard
  table.tabIndex = 0;
  table.role = "region";
  table.ariaLabel = "Receipts";
  return h("details", h("summary", count(list.length, "receipt")), table);
}

// Input.

/** Takes files by what they are. @param {readonly File[]} dropped */
async function take(dropped) {
  /** @type {Proof[]} */
  const proofs = [];
  let trust = false;
  for (const file of dropped) {
    if (!file.name.endsWith(".json")) {
      proofs.push({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
      continue;
    }
    const text = await file.text();
    const kind = text.includes("groth16-committed") ? "keys" : "state";
    files[kind] = text;
    // the field shows its name
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input(kind).files = transfer.files;
    the(`${kind}-info`).textContent = "";
    trust = true;
  }
  if (trust) await reopen();
  if (proofs.length > 0) await verifyAll(proofs);
}

for (const kind of /** @type {const} */ (["keys", "state"])) {
  input(kind).addEventListener("change", async () => {
    const [file] = input(kind).files ?? [];
    if (file === undefined) return;
    files[kind] = await file.text();
    the(`${kind}-info`).textContent = "";
    await reopen();
  });
}
for (const id of ["digest", "insecure", "worker", "page"]) input(id).addEventListener("change", reopen);
button("again").addEventListener("click", reopen);

input("proofs").addEventListener("change", async () => {
  await take([...(input("proofs").files ?? [])]);
  // so that the same file can be chosen again
  input("proofs").value = "";
});

the("controls").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (following !== undefined) return following.abort();
  const origin = input("origin").value || location.origin;
  if (URL.canParse(origin)) await follow(origin);
});

for (const type of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    const { dataTransfer } = /** @type {DragEvent} */ (event);
    if (!dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", type === "dragenter" || type === "dragover");
    if (type === "drop" && !busy) take([...dataTransfer.files]);
  });
}

/**
 * Files that the address names, `?keys=…&state=…&proof=…`: of this server only, and whether development keys will do is
 * never for an address to say.
 */
async function takeLinked() {
  const names = [...new URLSearchParams(location.search)].filter(([name]) => ["keys", "state", "proof"].includes(name));
  const linked = names.map(async ([, value]) => {
    const url = new URL(value, location.href);
    if (url.origin !== location.origin) throw new Error(`${url} is not of this server`);
    const response = await fetch(url);
    if (!response.ok) throw new Error(`${url}: status ${response.status}`);
    return new File([await response.blob()], url.pathname.split("/").at(-1) ?? "");
  });
  const taken = await Promise.all(linked);
  await take(taken);
}

show();
takeLinked().catch((error) => problem(messageOf(error)));
