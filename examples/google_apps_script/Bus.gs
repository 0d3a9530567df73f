// The bus: what is asked of it over HTTP, and what its answers mean for rows.

const MOST_AT_ONCE = 1000; // jobs in a request, the limit of the bus
const LARGEST_REQUEST = 5e6; // characters; the bus takes 10 MiB
const MOST_REFUSALS = 25; // rows that may be refused one by one before the rest is left to whoever mends them

/**
 * What came back from a request. `code` is 0 when nobody answered, `body` null when it was no JSON.
 * @typedef {{code: number, body: any, problem: string, retryAfter: number}} Answer
 */

/**
 * Send rows that wait, starting the machine for them, and wait for it until a moment. Return whether there were any.
 * @param {Row[]} rows
 * @param {number} deadline milliseconds
 */
function sendWaiting_(rows, deadline) {
  const isAny = rows.length > 0;
  while (rows.length > 0) {
    const step = attempted_(rows);
    if (step === null) break;
    saying_(step.say);
    const status = `waiting: ${step.say}`;
    const unsaid = allRows_().filter((row) => isWaiting_(row) && row.status !== status);
    settleRows_(new Map(unsaid.map((row) => [row.key, { status }])));
    if (Date.now() + step.wait * 1000 > deadline) break;
    Utilities.sleep(step.wait * 1000);
    rows = allRows_().filter(isWaiting_);
  }
  return isAny;
}

/**
 * Ask how jobs stand: one request, up to 1,000 jobs, those not asked about for longest. Return how many have ended.
 * @param {Row[]} rows
 */
function askedAbout_(rows) {
  if (rows.length === 0) return 0;
  const url = state_().url || addressNow_();
  if (url === "") return settledJobs_(rows, mirrored_(rows));
  const from = recalled_("AAFAI_TURN", 0) % rows.length;
  if (rows.length > MOST_AT_ONCE) remember_("AAFAI_TURN", from + MOST_AT_ONCE);
  const asked = [...rows.slice(from), ...rows.slice(0, from)].slice(0, MOST_AT_ONCE);
  const answer = busAsked_(url, "post", "/outbound", { job_ids: asked.map((row) => row.jobId) });
  const isAnswered = answer.code === 200 && Array.isArray(answer.body?.jobs);
  becomes_({ url: isAnswered ? url : "" });
  saying_(isAnswered ? "" : whyNot_(answer));
  return isAnswered ? settledJobs_(asked, answer.body.jobs) : 0;
}

/** Ask the bus to cancel jobs; return why not, empty when it was done. @param {string[]} jobIds */
function cancelled_(jobIds) {
  const url = addressNow_();
  if (url === "") return "The machine is off, and is not started to cancel. Its jobs would go on once it is on.";
  for (let from = 0; from < jobIds.length; from += MOST_AT_ONCE) {
    const body = { job_ids: jobIds.slice(from, from + MOST_AT_ONCE), reason: "Cancelled in the sheet." };
    const answer = busAsked_(url, "post", "/api/jobs/cancel", body);
    if (answer.code !== 200) return whyNot_(answer);
  }
  return "";
}

/**
 * Ask the bus, signed if there is a token that signs.
 * @param {string} url of the bus
 * @param {"get" | "post"} method
 * @param {string} target path and query
 * @param {any} [body]
 * @returns {Answer}
 */
function busAsked_(url, method, target, body) {
  const payload = body === undefined ? "" : JSON.stringify(body);
  const headers = credentials_(url, method.toUpperCase(), target, payload);
  const content = payload === "" ? {} : { contentType: "application/json", payload };
  return asked_(url + target, { method, headers, ...content });
}

/**
 * Ask anybody. An error is an answer too: nothing is thrown.
 * @param {string} url
 * @param {GoogleAppsScript.URL_Fetch.URLFetchRequestOptions} options
 * @returns {Answer}
 */
function asked_(url, options) {
  const response = fetched_(url, options);
  if (typeof response === "string") return { code: 0, body: null, problem: response, retryAfter: 5 };
  const code = response.getResponseCode();
  const headers = /** @type {Object<string, string>} */ (response.getHeaders());
  const seconds = Number(headers["Retry-After"] || headers["retry-after"]) || 5;
  const retryAfter = Math.min(60, Math.max(1, seconds));
  try {
    return { code, body: JSON.parse(response.getContentText("UTF-8")), problem: `status ${code}`, retryAfter };
  } catch {
    return { code, body: null, problem: `status ${code}, and no JSON`, retryAfter };
  }
}

/**
 * Return what came back from an address, whatever its status; a text that says why when nobody answered.
 * @param {string} url
 * @param {GoogleAppsScript.URL_Fetch.URLFetchRequestOptions} options
 */
function fetched_(url, options) {
  try {
    return UrlFetchApp.fetch(url, { ...options, muteHttpExceptions: true, followRedirects: false });
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/**
 * Return the headers by which the bus knows this script. A token that is sent goes over HTTPS only.
 * @param {string} url
 * @param {string} method
 * @param {string} target
 * @param {string} payload
 * @returns {Object<string, string>}
 */
function credentials_(url, method, target, payload) {
  const signing = setting_("AAFAI_SIGNING_TOKEN");
  if (signing !== "") return { Authorization: signed_(signing, method, target, payload) };
  const token = setting_("AAFAI_TOKEN");
  const remedy = "Make one that signs, './bus token make sheet --signing', and set AAFAI_SIGNING_TOKEN.";
  if (token !== "" && !url.startsWith("https:")) {
    throw new Impossible(`AAFAI_TOKEN is not sent over plain HTTP. ${remedy}`);
  }
  return token === "" ? {} : { Authorization: `Bearer ${token}` };
}

/**
 * @param {string} token
 * @param {string} method
 * @param {string} target
 * @param {string} payload
 */
function signed_(token, method, target, payload) {
  if (!/^aafai_[0-9a-f]{8}_.{16,}$/.test(token)) {
    throw new Impossible("AAFAI_SIGNING_TOKEN is not a token that './bus token make NAME --signing' has made.");
  }
  const key = token.split("_")[1];
  const time = Math.floor(Date.now() / 1000);
  const nonce = Utilities.getUuid();
  const digest = hex_(
    Utilities.computeDigest(Utilities.DigestAlgorithm.SHA_256, payload, Utilities.Charset.UTF_8),
  );
  const text = ["AAFAI-HMAC-SHA256", method, target, time, nonce, "", digest].join("\n");
  const signature = hex_(Utilities.computeHmacSha256Signature(text, token, Utilities.Charset.UTF_8));
  return `AAFAI-HMAC-SHA256 key=${key}, time=${time}, nonce=${nonce}, signature=${signature}`;
}

/** @param {number[]} bytes from -128 to 127 */
function hex_(bytes) {
  return bytes.map((byte) => (byte & 255).toString(16).padStart(2, "0")).join("");
}

/**
 * Take one step towards the machine, or send the rows to it; return what to wait for, null when all is done.
 * @param {Row[]} rows
 * @returns {Step | null}
 */
function attempted_(rows) {
  try {
    const step = stepTowardsBus_();
    if (step.url === "") return step;
    return sent_(step.url, [...submissionsOf_(allRows_(true).filter(isWaiting_)).values()]);
  } catch (error) {
    if (!(error instanceof Impossible)) throw error;
    saying_(error.message);
    settleRows_(new Map(rows.map((row) => [row.key, { status: "failed", result: error.message }])));
    return null;
  }
}

/**
 * Write how jobs stand and return how many of them have ended.
 * @param {Row[]} rows
 * @param {any[]} jobs as the bus tells of them
 */
function settledJobs_(rows, jobs) {
  const told = new Map(jobs.map((job) => [job.job_id, job]));
  const outcomes = new Map();
  const bucket = setting_("AAFAI_BUCKET");
  for (const row of rows) {
    const job = told.get(row.jobId);
    const outcome = job && outcomeOf_(job, bucket);
    const isNews = outcome && (outcome.result !== undefined || outcome.status !== row.status);
    if (isNews) outcomes.set(row.key, outcome);
  }
  settleRows_(outcomes);
  return [...outcomes.values()].filter((outcome) => outcome.result !== undefined).length;
}

/**
 * Return what a row is to say of a job.
 * @param {any} job as the bus tells of it
 * @param {string} bucket in which the bus leaves files; empty for none
 * @returns {Outcome}
 */
function outcomeOf_(job, bucket) {
  if (job.status === "pending" || job.result_left_out) {
    const { fraction, message } = job.progress || {};
    const share = typeof fraction === "number" ? `${Math.round(fraction * 100)} %` : "";
    return { status: [job.state === "running" ? "running" : "pending", share, message].filter(Boolean).join(" ") };
  }
  if (job.status !== "complete") return { status: job.status, result: job.error || job.code || "" };
  const result = job.result;
  const isText = result !== null && typeof result === "object" && typeof result.text === "string";
  const warning = isText && result.warning ? `: ${result.warning}` : "";
  const empty = isText && result.text === "" ? "(no text)" : "";
  return {
    status: `complete${warning}`,
    result: isText ? result.text || empty : (result ?? "(nothing)"),
    files: filesLink_(bucket, job.job_id),
  };
}

/** Say in one sentence why the bus did not do what was asked. @param {Answer} answer */
function whyNot_(answer) {
  const { code, message, hint } = answer.body || {};
  if (answer.code === 0) return `The bus cannot be reached: ${answer.problem}`;
  if ([401, 403].includes(answer.code) && !isPassing_(answer)) {
    return `The bus refuses the token (${code || answer.code}): ${message || ""} Check AAFAI_SIGNING_TOKEN.`;
  }
  return `The bus answers: ${[message || answer.problem, hint].filter(Boolean).join(" ")}`;
}
