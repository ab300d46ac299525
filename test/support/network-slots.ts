/** Bridges and subnets for daemons under test, so that test processes that run at the same time never share one. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface NetworkSlot {
	/** Interface name. */
	readonly bridge: string;
	/** The bridge's address with the prefix length. */
	readonly bridgeAddress: string;
	release(): void;
}

const SLOT_DIRECTORY = join(tmpdir(), "gantry-test-networks");
const SLOTS = 250;

/** A slot is a directory: making it is atomic. One whose process is gone is taken over. */
export function takeNetworkSlot(): NetworkSlot {
	mkdirSync(SLOT_DIRECTORY, { recursive: true });
	const first = process.pid % SLOTS;
	for (let step = 0; step < SLOTS; step++) {
		const slot = 1 + ((first + step) % SLOTS);
		const path = join(SLOT_DIRECTORY, String(slot));
		if (isAbandoned(path)) rmSync(path, { recursive: true, force: true });
		try {
			mkdirSync(path);
		} catch {
			continue; // EEXIST: taken
		}
		writeFileSync(join(path, "pid"), String(process.pid));
		return {
			bridge: `gt${slot}`,
			bridgeAddress: `10.213.${slot}.1/24`,
			release: () => rmSync(path, { recursive: true, force: true }),
		};
	}
	throw new Error("No free network for a daemon under test");
}

function isAbandoned(path: string): boolean {
	try {
		process.kill(Number(readFileSync(join(path, "pid"), "utf8")), 0);
		return false;
	} catch (error) {
		// ESRCH: its process is gone. ENOENT: free, or its maker is about to write the file.
		return error instanceof Error && "code" in error && error.code === "ESRCH";
	}
}
