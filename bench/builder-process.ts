/** One builder's client as a program: whole processes are started and timed. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export type BuilderKind = "classic" | "buildx" | "buildah" | "gantry";

export interface BuilderOptions {
	readonly kind: BuilderKind;
	readonly name: string;
	readonly program: string;
	/** Of the daemon; empty for buildah, which has none. */
	readonly host: string;
}

/** Built by every scenario, from this image. */
export const TAG = "gantry-bench-build";
export const BASE_IMAGE = "gantry-bench-base:latest";

/** Of everything that is built, so that what has lost its name is found again. */
const LABEL = "gantry-bench=build";
const TIMEOUT_MS = 300_000;

export class Builder {
	readonly kind: BuilderKind;
	readonly name: string;
	readonly #directory = mkdtempSync(join(tmpdir(), "gantry-bench-builder-"));

	constructor(private readonly options: BuilderOptions) {
		this.kind = options.kind;
		this.name = options.name;
	}

	/** Seconds of one build of the directory. @throws Error when it fails */
	async build(directory: string, ...flags: readonly string[]): Promise<number> {
		const argv = this.#buildArguments([...flags, "--label", LABEL, "-t", TAG, directory]);
		const startedAt = performance.now();
		await this.#run(argv);
		return (performance.now() - startedAt) / 1000;
	}

	async importBusybox(tar: Uint8Array, changes: readonly string[]): Promise<void> {
		if (this.kind === "buildah") {
			// It imports no archives of trees: an image of one layer does.
			const context = mkdtempSync(join(tmpdir(), "gantry-bench-base-"));
			await Bun.write(join(context, "root.tar"), tar);
			await Bun.write(join(context, "Dockerfile"), ["FROM scratch", "ADD root.tar /", ...changes, ""].join("\n"));
			await this.#run(this.#buildArguments(["-t", BASE_IMAGE, context]));
			rmSync(context, { recursive: true });
			return;
		}
		const flags = [...changes, `LABEL ${LABEL}`].flatMap((change) => ["--change", change]);
		await this.#run([this.#client(), "import", ...flags, "-", BASE_IMAGE], tar);
	}

	async cleanUp(): Promise<void> {
		// Whether anything was built or not.
		if (this.kind !== "buildah") {
			await this.#run([this.#client(), "rmi", "-f", TAG, BASE_IMAGE]).catch(() => {});
			await this.#run([this.#client(), "image", "prune", "-f", "--filter", `label=${LABEL}`]).catch(() => {});
		} else await this.#run([this.options.program, ...this.#roots(), "rmi", "-af"]).catch(() => {});
		rmSync(this.#directory, { recursive: true, force: true });
	}

	/** Of the daemon that builds: buildx itself manages no images. */
	#client(): string {
		return this.kind === "buildx" ? (Bun.which("docker") ?? "docker") : this.options.program;
	}

	#roots(): string[] {
		return ["--root", join(this.#directory, "storage"), "--runroot", join(this.#directory, "run")];
	}

	#buildArguments(rest: readonly string[]): string[] {
		const { program } = this.options;
		switch (this.kind) {
			case "buildah":
				return [program, ...this.#roots(), "bud", "--layers", "--pull-never", ...rest];
			case "buildx":
				return [program, "build", "--builder", "default", "--progress", "plain", ...rest];
			default:
				return [program, "build", ...rest];
		}
	}

	async #run(argv: readonly string[], stdin?: Uint8Array): Promise<void> {
		const child = Bun.spawn([...argv], {
			stdin: stdin ?? "ignore",
			stdout: "ignore",
			stderr: "pipe",
			timeout: TIMEOUT_MS,
			env: {
				...process.env,
				DOCKER_BUILDKIT: "0",
				DOCKER_CONFIG: this.#directory,
				...(this.options.host === "" ? {} : { DOCKER_HOST: this.options.host }),
			},
		});
		const [text, code] = await Promise.all([child.stderr.text(), child.exited]);
		if (code !== 0) throw new Error(`${this.name}: ${argv.join(" ")} ended with code ${code}: ${text.slice(-500)}`);
	}
}
