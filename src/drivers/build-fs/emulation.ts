import { readdirSync, readFileSync } from "node:fs";
import type { Platform } from "../../api/oci/image.ts";

const REGISTRATIONS = "/proc/sys/fs/binfmt_misc";

/** What runs without help besides the machine's own programs. */
const NATIVE: Readonly<Record<string, readonly string[]>> = { amd64: ["amd64", "386"], arm64: ["arm64", "arm"] };

/** Names that QEMU's registrations go by. */
const EMULATORS: Readonly<Record<string, readonly string[]>> = {
	amd64: ["x86_64"],
	"386": ["i386"],
	arm64: ["aarch64"],
	arm: ["arm"],
	riscv64: ["riscv64"],
	ppc64le: ["ppc64le"],
	s390x: ["s390x"],
	loong64: ["loongarch64"],
	mips64le: ["mips64el"],
};

/** Whether programs of the platform can be run: natively, or by an emulator that is registered with binfmt_misc. */
export function canRunPlatform(machine: string, { os, architecture }: Platform): boolean {
	if (os !== "linux") return false;
	if ((NATIVE[machine] ?? [machine]).includes(architecture)) return true;
	const names = (EMULATORS[architecture] ?? [architecture]).map((name) => `qemu-${name}`);
	return registrations().some((name) => names.includes(name) && isEnabled(name));
}

function registrations(): string[] {
	try {
		return readdirSync(REGISTRATIONS);
	} catch {
		// Not mounted: no emulation.
		return [];
	}
}

/** An interpreter is opened in the container's file system unless it was opened at registration (flag F). */
function isEnabled(name: string): boolean {
	const text = readFileSync(`${REGISTRATIONS}/${name}`, "utf8");
	return text.startsWith("enabled") && /^flags: .*F/m.test(text);
}
