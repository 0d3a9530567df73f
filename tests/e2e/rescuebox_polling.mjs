// What the interface of RescueBox does when somebody runs a command, without its widgets:
//
//     node rescuebox_polling.mjs described|shipped run|poll URL [BODY]
//
// `described` is the code of its description, which reads `root`; `shipped` tests as the interface in use does, which
// reads `title` and `value` at the top. What it would have shown is printed as JSON, with the delays that it wished.

const [kind, what, url, body] = process.argv.slice(2);
const shown = [];
const delays = [];
let polling = false;

const setCommandOutput = (output) => {
    const last = shown.at(-1) ?? "";
    shown.push(typeof output === "function" ? output(last) : output);
};
const setIsPolling = (yes) => { polling = yes; };
const setTimeout = (next, delay) => {
    delays.push(delay);
    globalThis.setTimeout(next, delay / 50);
};

const described = {
    isTask: (parsedData) => parsedData && parsedData.root.title === "task_id",
    idOf: (parsedData) => parsedData.root.value,
    isPending: (resultData) =>
        resultData && resultData.root.title === "status" && resultData.root.value.includes("PENDING"),
    refuse: async () => {},
};
const shipped = {
    isTask: (parsedData) => parsedData && parsedData.title === "task_id",
    idOf: (parsedData) => parsedData.value,
    isPending: (resultData) =>
        resultData && resultData.title === "status" && resultData.value === "Task status: PENDING",
    refuse: async (response) => {
        if (!response.ok) throw new Error(`HTTP ${response.status}: ${JSON.stringify(await response.json())}`);
    },
};
const client = { described, shipped }[kind];

const pollForResult = async (resultUrl) => {
    try {
        const resultResponse = await fetch(resultUrl, { method: "GET" });
        await client.refuse(resultResponse);
        const resultData = await resultResponse.json();
        if (client.isPending(resultData)) {
            setCommandOutput((prev) => prev + " .");
            setTimeout(() => pollForResult(resultUrl), 5000);
        } else {
            setCommandOutput(JSON.stringify(resultData, null, 2));
            setIsPolling(false);
        }
    } catch (error) {
        setCommandOutput((prev) => prev + `\n Polling Error: ${error.message}`);
        setIsPolling(false);
    }
};

const handleRunCommand = async () => {
    const headers = { "Content-Type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body });
    await client.refuse(response);
    const parsedData = await response.json();
    if (client.isTask(parsedData)) {
        const taskId = client.idOf(parsedData);
        const resultUrl = `${url}/result/${taskId}`;
        setCommandOutput(`Task started with ID: ${taskId}. Polling for result...`);
        setIsPolling(true);
        pollForResult(resultUrl);
    } else {
        setCommandOutput(JSON.stringify(parsedData, null, 2));
    }
};

process.on("exit", () => console.log(JSON.stringify({ shown, delays, polling })));
await (what === "run" ? handleRunCommand() : pollForResult(url));
