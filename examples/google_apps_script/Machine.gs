// The machine: found, started and waited for through Google's Compute Engine.

/**
 * A step on the way to a bus that accepts jobs: its address, or what is waited for and how many seconds.
 * @typedef {{url: string, wait: number, say: string}} Step
 */

const COMPUTE = "https://compute.googleapis.com/compute/v1";
const OUT_OF_STOCK = /ZONE_RESOURCE_POOL_EXHAUSTED|STOCKOUT|resourcesUnavailable/i;
const NOT_ENABLED = /accessNotConfigured|SERVICE_DISABLED/;
const QUOTA = /quota/i;
const NEVER_READY = 15 * 60 * 1000;

/**
 * Take one step towards a bus that accepts jobs, starting the machine if it is off. Throws Impossible.
 * @returns {Step}
 */
function stepTowardsBus_() {
  const fixed = setting_("AAFAI_URL").replace(/\/+$/, "");
  if (fixed !== "" && accepts_(fixed)) return { url: fixed, wait: 0, say: "" };
  if (fixed !== "" && setting_("AAFAI_INSTANCE") === "") return waitFor_(15, `No bus accepts jobs at ${fixed}.`);
  const { operation, notBefore } = state_();
  if (operation !== "") return stepOfStart_(operation);
  if (notBefore > Date.now()) return waitFor_((notBefore - Date.now()) / 1000, problem_());
  const instance = computed_("get", `instances/${needed_("AAFAI_INSTANCE")}`);
  if (instance.step) return instance.step;
  const { status } = instance.body;
  if (status === "TERMINATED" || status === "STOPPED") return started_("start");
  if (status === "SUSPENDED") return started_("resume");
  if (status === "RUNNING") return stepOfBoot_(fixed || addressOf_(instance.body));
  return waitFor_(/STOP|SUSPEND/.test(status) ? 10 : 5, `The machine is ${status.toLowerCase()}.`);
}

/**
 * Return the address of the bus without starting anything; empty when the machine is off or not to be found.
 * @returns {string}
 */
function addressNow_() {
  const fixed = setting_("AAFAI_URL").replace(/\/+$/, "");
  if (fixed !== "") return fixed;
  const { body, step } = computed_("get", `instances/${needed_("AAFAI_INSTANCE")}`);
  if (body && body.status === "RUNNING") return addressOf_(body);
  saying_(step ? step.say : "The machine is off. It is not started merely to ask.");
  return "";
}

/** @param {string} verb @returns {Step} */
function started_(verb) {
  const operation = computed_("post", `instances/${needed_("AAFAI_INSTANCE")}/${verb}`);
  if (operation.step) return operation.step;
  becomes_({ operation: operation.body.name, onSince: 0 });
  return waitFor_(5, "The machine is being started.");
}

/** @param {string} name of the operation @returns {Step} */
function stepOfStart_(name) {
  // Forgotten first: one that Google has forgotten too must not be asked for again and again.
  becomes_({ operation: "" });
  const operation = computed_("get", `operations/${name}`);
  if (operation.step) return operation.step;
  if (operation.body.status !== "DONE") {
    becomes_({ operation: name });
    return waitFor_(5, "The machine is being started.");
  }
  const [error] = operation.body.error?.errors || [];
  return error
    ? refused_(operation.body.httpErrorStatusCode || 503, `${error.code} ${error.message}`)
    : waitFor_(1, "The machine has been started.");
}

/** @param {string} url @returns {Step} */
function stepOfBoot_(url) {
  if (accepts_(url)) {
    becomes_({ ...UNKNOWN, url });
    saying_("");
    return { url, wait: 0, say: "" };
  }
  const onSince = state_().onSince || Date.now();
  becomes_({ onSince });
  if (Date.now() - onSince < NEVER_READY) return waitFor_(5, "The machine is on, its bus not ready yet.");
  becomes_({ onSince: 0 });
  const where = "Look at its log (journalctl -u aafai-bus) and at the firewall.";
  throw new Impossible(`The machine runs, but for 15 minutes no bus has answered at ${url}. ${where}`);
}

/** @param {any} instance */
function addressOf_(instance) {
  const address = instance.networkInterfaces?.[0]?.accessConfigs?.[0]?.natIP;
  const remedy = "give it one, or set AAFAI_URL";
  if (!address) throw new Impossible(`The machine ${instance.name} has no external address: ${remedy}.`);
  return `http://${address}:${setting_("AAFAI_PORT", "8000")}`;
}

/** Return whether a bus accepts jobs there. Nobody knows who has the address by now: no token is shown.
 * @param {string} url
 */
function accepts_(url) {
  return asked_(`${url}/health`, { method: "get" }).body?.accepting === true;
}

/**
 * Ask Compute Engine and return what it said, or the step that its refusal leads to. Throws Impossible.
 * @param {"get" | "post"} method
 * @param {string} path below the zone
 * @returns {{body: any, step?: Step}}
 */
function computed_(method, path) {
  const zone = `projects/${needed_("AAFAI_PROJECT")}/zones/${needed_("AAFAI_ZONE")}`;
  const answer = asked_(`${COMPUTE}/${zone}/${path}`, {
    method,
    headers: { Authorization: `Bearer ${ScriptApp.getOAuthToken()}` },
  });
  if (answer.code >= 200 && answer.code < 300 && answer.body) return { body: answer.body };
  const error = answer.body?.error;
  const reasons = (error?.errors || []).map((/** @type {{reason: string}} */ one) => one.reason).join(" ");
  return { body: null, step: refused_(answer.code, `${reasons} ${error?.message || answer.problem}`.trim()) };
}

/**
 * Return what to do about a refusal of Google's that may pass. Throws Impossible for one that will not.
 * @param {number} code HTTP status, 0 when nobody answered
 * @param {string} said
 * @returns {Step}
 */
function refused_(code, said) {
  if (OUT_OF_STOCK.test(said)) return outOfStock_();
  const isPassing = code === 0 || code === 429 || code >= 500 || /rateLimitExceeded|resourceNotReady/.test(said);
  if (isPassing) return waitFor_(15, `Google says: ${said}`);
  throw new Impossible(`${meaningOf_(code, said)} ${said}`);
}

/** Say what a refusal means, and what to do. @param {number} code @param {string} said */
function meaningOf_(code, said) {
  const [name, zone, project] = ["AAFAI_INSTANCE", "AAFAI_ZONE", "AAFAI_PROJECT"].map((one) => setting_(one));
  const machine = `${name} in zone ${zone} of project ${project}`;
  if (NOT_ENABLED.test(said)) {
    return "The Compute Engine API is off in the script's Cloud project: the README says how to link yours.";
  }
  if (QUOTA.test(said)) return "The quota of the project does not allow the machine to run.";
  if (code === 401) return "Google does not know who asks. Run the menu entry again and allow what it asks for.";
  if (code !== 404) return `You may not use the machine ${machine}: compute.instances.get and .start are needed.`;
  return `There is no machine ${machine}. Check the settings; 'gcloud compute instances list' shows what there is.`;
}

/** Wait longer each time, up to ten minutes. @returns {Step} */
function outOfStock_() {
  const { tries } = state_();
  const minutes = Math.min(10, 2 ** tries);
  const say = `The zone has no such machine free (stock-out). The next try is in ${counted_(minutes, "minute")}.`;
  becomes_({ tries: tries + 1, notBefore: Date.now() + minutes * 60 * 1000 });
  return waitFor_(minutes * 60, say);
}

/** @param {number} wait seconds @param {string} say @returns {Step} */
function waitFor_(wait, say) {
  return { url: "", wait, say };
}
