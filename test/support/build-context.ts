/** Build contexts of tests: directories with the files that a test names. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export class TestContext implements Disposable {
	readonly directory = realpathSync(mkdtempSync(join(tmpdir(), "gantry-build-")));

	/** @param files contents by path; a list is lines */
	constructor(files: Readonly<Record<string, string | readonly string[]>>) {
		this.write(files);
	}

	write(files: Readonly<Record<string, string | readonly string[]>>): void {
		for (const [path, content] of Object.entries(files)) {
			const full = this.path(path);
			mkdirSync(dirname(full), { recursive: true });
			writeFileSync(full, typeof content === "string" ? content : `${content.join("\n")}\n`);
		}
	}

	path(...names: string[]): string {
		return join(this.directory, ...names);
	}

	[Symbol.dispose](): void {
		rmSync(this.directory, { recursive: true, force: true });
	}
}
