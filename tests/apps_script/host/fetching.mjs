// UrlFetchApp: it waits for the answer, refuses what Google's refuses, and throws as it does.

import { exception } from "./world.mjs";

const LONGEST_URL = 2 * 1024;
const LARGEST_BODY = 50 * 1024 * 1024; // of a request, and of an answer
const LARGEST_HEADERS = 8 * 1024;
const MOST_CALLS = 20000; // a day
const OPTIONS = [
  "contentType",
  "headers",
  "method",
  "payload",
  "validateHttpsCertificates",
  "followRedirects",
  "muteHttpExceptions",
  "escaping",
];
const METHODS = ["get", "post", "put", "patch", "delete"];

/** `perform` asks the world and returns {code, headers, base64} or {failure}. */
export function fetching(world, perform) {
  let calls = 0;

  function fetch(url, options = {}) {
    world.serve("fetch", 300);
    check(url, options);
    if (++calls > MOST_CALLS) throw exception("Service invoked too many times for one day: urlfetch.");
    world.run.fetches += 1;
    const headers = { ...options.headers };
    if (options.contentType) headers["Content-Type"] = options.contentType;
    else if (options.payload !== undefined) headers["Content-Type"] = "application/x-www-form-urlencoded";
    const answer = perform({
      url,
      method: (options.method || "get").toUpperCase(),
      headers,
      base64: bytes(options.payload).toString("base64"),
    });
    world.serve("the answer of fetch", 0);
    if (answer.failure) throw exception(`${answer.failure}: ${url}`);
    return response(url, answer, options.muteHttpExceptions === true);
  }

  return { fetch };
}

function check(url, options) {
  if (typeof url !== "string" || !/^https?:\/\//.test(url)) throw exception(`Invalid argument: ${url}`);
  if (url.length > LONGEST_URL) throw exception("Limit Exceeded: URLFetch URL Length.");
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) throw exception(`Attribute provided with invalid value: ${name}`);
  }
  if (options.method && !METHODS.includes(String(options.method).toLowerCase()))
    throw exception(`Attribute provided with invalid value: method`);
  for (const [name, value] of Object.entries(options.headers || {})) {
    if (typeof value !== "string") throw exception(`Attribute provided with invalid value: Header:${name}`);
    if (/^(content-length|host)$/i.test(name))
      throw exception(`Attribute provided with invalid value: Header:${name}`);
  }
  if (JSON.stringify(options.headers || {}).length > LARGEST_HEADERS)
    throw exception("Limit Exceeded: URLFetch Header Size.");
  if (bytes(options.payload).length > LARGEST_BODY) throw exception("Limit Exceeded: URLFetch POST Size.");
}

function response(url, { code, headers, base64 }, isMuted) {
  const content = Buffer.from(base64, "base64");
  if (content.length > LARGEST_BODY) throw exception(`Response too large: ${url}`);
  // What charset Google assumes of an answer that names none is not said: here the one that shows the mistake.
  const named = /charset="?utf-8/i.test(headers["Content-Type"] || "") ? "utf8" : "latin1";
  const text = content.toString(named);
  if (code >= 400 && !isMuted) {
    throw exception(
      `Request failed for ${new URL(url).origin} returned code ${code}. Truncated server response: ${text.slice(0, 100)} (use muteHttpExceptions option to examine full response)`,
    );
  }
  const signed = () => [...new Int8Array(content)];
  return {
    getResponseCode: () => code,
    getContentText: (charset) => (charset === undefined ? text : content.toString(charset)),
    getContent: signed,
    getHeaders: () => headers,
    getAllHeaders: () => headers,
    getBlob: () => ({ getBytes: signed, getContentType: () => headers["Content-Type"] || null }),
  };
}

function bytes(payload) {
  if (payload === undefined || payload === null) return Buffer.alloc(0);
  if (typeof payload === "string") return Buffer.from(payload, "utf8");
  if (Array.isArray(payload)) return Buffer.from(Int8Array.from(payload));
  return Buffer.from(new URLSearchParams(payload).toString());
}
