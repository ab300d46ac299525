/** A daemon under test that can be told to die before a certain call to one of its drivers. */
import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { auditDaemon } from "../../support/audit.ts";
import { waitFor } from "../../support/commands.ts";
import { TestDaemon } from "../../support/daemon.ts";

/** Calls that change nothing: there is no gap after them. */
const READS =
	/\.(?:list|get|has|find|stack|usage|layerPath|layersInUse|containerUsage|describe|paths|kindOf|devices|allDevices|read[A-Z]\w*|host[A-Z]\w*|realPath|propagationOf|mountpoint|check|exists|isMadeInSteps|images|layers|open|size|inventory|occupiedSubnets|statistics)$/;
/** The daemon may go on after its answer. */
const AFTERMATH_MS = 250;
/** For the end of a process that is killed already. */
const DEATH_MS = 10_000;

export class DoomedDaemon implements AsyncDisposable {
	readonly #cgroupParent: string;
	readonly #controlFile: string;

	private constructor(
		readonly daemon: TestDaemon,
		names: { readonly cgroupParent: string; readonly controlFile: string },
	) {
		this.#cgroupParent = names.cgroupParent;
		this.#controlFile = names.controlFile;
	}

	static async start(): Promise<DoomedDaemon> {
		const name = `gantry-test-${randomBytes(6).toString("hex")}`;
		const cgroupParent = `/${name}`;
		const controlFile = join(tmpdir(), `${name}.fail`);
		const daemon = await TestDaemon.start({
			args: [`--cgroup-parent=${cgroupParent}`],
			env: { GANTRY_FAIL_POINT_FILE: controlFile },
		});
		await daemon.loadBusybox();
		return new DoomedDaemon(daemon, { cgroupParent, controlFile });
	}

	/** Numbers of the calls, from 1, that change something while `work` goes on and shortly after, with their names. */
	async changingCalls(work: () => Promise<void>): Promise<{ readonly number: number; readonly name: string }[]> {
		const path = `${this.#controlFile}.calls`;
		rmSync(path, { force: true });
		this.#order("record");
		await work();
		await Bun.sleep(AFTERMATH_MS);
		this.#order("none");
		const text = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
		return text
			.split("\n")
			.map((name, index) => ({ number: index + 1, name }))
			.filter(({ name }) => name !== "" && !READS.test(name));
	}

	/** @returns the name of the call before which it died, undefined when it never got there */
	async dieAt(call: number, work: () => Promise<void>): Promise<string | undefined> {
		const path = `${this.#controlFile}.death`;
		rmSync(path, { force: true });
		this.#order(String(call));
		const failure = await work().then(
			() => undefined,
			(error: unknown) => error,
		);
		await waitFor("its death", () => existsSync(path), AFTERMATH_MS).catch(() => undefined);
		this.#order("none");
		// It may have read the order just before it was taken back; one that answers now has not.
		if (existsSync(path) || !(await this.#answers())) {
			await waitFor("its death", () => !this.daemon.isRunning, DEATH_MS);
			return readFileSync(path, "utf8");
		}
		if (failure !== undefined) throw failure;
		return undefined;
	}

	async #answers(): Promise<boolean> {
		try {
			return (await this.daemon.api("GET", "/_ping")).ok;
		} catch {
			return false; // ECONNREFUSED, ECONNRESET: it dies or is dead
		}
	}

	/** Orders the death of a daemon that is started after this. */
	orderDeath(call: number): void {
		this.#order(String(call));
	}

	cancelDeath(): void {
		this.#order("none");
	}

	/** What is not as the daemon says. */
	audit(): Promise<string[]> {
		return auditDaemon(this.daemon, { cgroupParent: this.#cgroupParent });
	}

	#order(text: string): void {
		writeFileSync(this.#controlFile, text);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#order("none");
		await this.daemon.remove();
		for (const suffix of ["", ".calls", ".death"]) rmSync(`${this.#controlFile}${suffix}`, { force: true });
		this.#removeCgroupParent();
	}

	/** A daemon never removes it: it may be the administrator's. @throws EBUSY when a container's cgroup is left in it */
	#removeCgroupParent(): void {
		for (const hierarchy of readdirSync("/sys/fs/cgroup")) {
			const path = join("/sys/fs/cgroup", hierarchy, this.#cgroupParent);
			if (existsSync(path)) rmdirSync(path);
		}
	}
}
