// What is outside of the script: the clock, and the test, which is asked for everything that comes over the network.

import fs from "node:fs";

/** How a run ends that took too long, or that the test ended in its middle. */
export class Terminated extends Error {}

export const DAY = 24 * 60 * 60 * 1000;
const LONGEST_RUN = 6 * 60 * 1000;
const waiting = new Int32Array(new SharedArrayBuffer(4));

export class World {
  constructor({ now, isReal, pause }) {
    this.pause = pause;
    this.offset = isReal ? 0 : now;
    this.isReal = isReal;
    this.runs = [];
    this.rest = "";
  }

  now() {
    return this.isReal ? Date.now() : Math.floor(this.offset);
  }

  sleep(milliseconds) {
    if (this.isReal) Atomics.wait(waiting, 0, 0, milliseconds);
    else this.offset += milliseconds;
  }

  /** The run that goes on; runs within runs are those that begin while another one waits for an answer. */
  get run() {
    return this.runs.at(-1);
  }

  /** Whoever the script runs for. */
  get user() {
    return this.run?.user ?? "ann";
  }

  /** Every call of a service takes time, and is where Google ends a run. The times are guesses, rather long ones. */
  serve(what, milliseconds) {
    if (!this.run) return;
    if (this.run.kind === "simple trigger") throw exception(`You do not have permission to call ${what}.`);
    if (!this.isReal) this.offset += milliseconds;
    this.run.calls += 1;
    if (this.run.pausesAt === this.run.calls) this.pause();
    if (this.now() - this.run.began > LONGEST_RUN) this.run.ended = "Exceeded maximum execution time";
    if (this.run.endsAt === this.run.calls)
      this.run.ended = `ended by the test at call ${this.run.calls}, ${what}`;
    if (this.run.ended) throw new Terminated(this.run.ended);
  }

  /** Keep a change of the sheet back: Google makes it when the run reads, flushes or ends, and not before. */
  write(change) {
    if (this.run) this.run.unseen.push(change);
    else change();
  }

  flush() {
    this.run?.unseen.splice(0).forEach((change) => change());
  }

  tell(message) {
    fs.writeSync(1, `${JSON.stringify(message)}\n`);
  }

  /** Return the next line from the test; null at its end. */
  hear() {
    const piece = Buffer.alloc(1 << 16);
    const pieces = [];
    while (!this.rest.includes("\n")) {
      const length = fs.readSync(0, piece);
      if (length === 0) return null;
      pieces.push(Buffer.from(piece.subarray(0, length)));
      if (piece.subarray(0, length).includes(10)) this.rest += Buffer.concat(pieces.splice(0)).toString("utf8");
    }
    const [line, ...others] = this.rest.split("\n");
    this.rest = others.join("\n");
    return JSON.parse(line);
  }
}

export function exception(message) {
  const error = new Error(message);
  error.name = "Exception";
  return error;
}
