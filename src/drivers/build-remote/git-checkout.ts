/** Repositories, by the git program: one commit without its history. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { errnoCode, InvalidParameterError, NotFoundError, UnavailableError } from "../../base/errors.ts";
import type { GitSource } from "../../core/dockerfile/remote-source.ts";

/** Nothing but the network, and nobody to ask for a password. */
const ENVIRONMENT = {
	GIT_TERMINAL_PROMPT: "0",
	GIT_ALLOW_PROTOCOL: "http:https:git:ssh",
	GIT_CONFIG_NOSYSTEM: "1",
	GIT_CONFIG_GLOBAL: "/dev/null",
	GIT_SSH_COMMAND: "ssh -oBatchMode=yes",
	HOME: "/nonexistent",
	PATH: process.env["PATH"] ?? "/usr/bin:/bin",
};
const COMMIT = /^[0-9a-f]{40}$|^[0-9a-f]{64}$/;

export class GitProgram {
	/** @param proxies variables that name them */
	constructor(readonly proxies: Readonly<Record<string, string>>) {}

	/** @returns the commit that is checked out. @throws NotFoundError, UnavailableError, InvalidParameterError */
	async checkOut(
		source: GitSource,
		directory: string,
		{ keepGitDir }: { readonly keepGitDir: boolean },
		signal: AbortSignal,
	): Promise<string> {
		const ref = checkedRef(source.ref);
		const git = (...args: string[]) => this.#run(["-C", directory, ...args], signal);
		await git("init", "--quiet");
		await git("remote", "add", "origin", "--", source.url);
		const wanted = ref === "" ? "HEAD" : ref;
		try {
			await git("fetch", "--quiet", "--depth", "1", "--no-tags", "--", "origin", wanted);
		} catch (error) {
			// A server of plain files gives out whole histories only.
			if (!(error instanceof UnavailableError) || !/shallow/.test(error.message)) throw error;
			await git("fetch", "--quiet", "--no-tags", "--", "origin", wanted);
		}
		await git("checkout", "--quiet", "--detach", "FETCH_HEAD");
		if (source.submodules !== false)
			await git("submodule", "--quiet", "update", "--init", "--recursive", "--depth", "1");
		const commit = (await git("rev-parse", "HEAD")).trim();
		if (!keepGitDir) await rm(join(directory, ".git"), { recursive: true, force: true });
		return commit;
	}

	async commitOf(source: GitSource, signal: AbortSignal): Promise<string> {
		const ref = checkedRef(source.ref);
		if (COMMIT.test(ref)) return ref;
		const names = ref === "" ? ["HEAD"] : [ref, `refs/heads/${ref}`, `refs/tags/${ref}`, `refs/tags/${ref}^{}`];
		const output = await this.#run(["ls-remote", "--", source.url, ...names], signal);
		const found = new Map(
			output
				.split("\n")
				.filter((line) => line !== "")
				.map((line) => {
					const [commit = "", name = ""] = line.split("\t");
					return [name, commit] as const;
				}),
		);
		const commit = [`refs/tags/${ref}^{}`, `refs/heads/${ref}`, `refs/tags/${ref}`, ...names, ...found.keys()]
			.map((name) => found.get(name))
			.find((id) => id !== undefined);
		if (commit === undefined) throw new NotFoundError(`repository ${source.url} does not contain ref ${ref || "HEAD"}`);
		return commit;
	}

	async #run(args: readonly string[], signal: AbortSignal): Promise<string> {
		signal.throwIfAborted();
		let child: Bun.Subprocess<"ignore", "pipe", "pipe">;
		try {
			child = Bun.spawn(["git", ...args], {
				env: { ...ENVIRONMENT, ...this.proxies },
				stdin: "ignore",
				stdout: "pipe",
				stderr: "pipe",
			});
		} catch (cause) {
			if (errnoCode(cause) !== "ENOENT") throw cause;
			throw new UnavailableError("git is not installed on this machine", { cause });
		}
		const kill = () => child.kill("SIGKILL");
		signal.addEventListener("abort", kill, { once: true });
		try {
			const [output, complaint, code] = await Promise.all([
				new Response(child.stdout).text(),
				new Response(child.stderr).text(),
				child.exited,
			]);
			signal.throwIfAborted();
			if (code === 0) return output;
			const text = complaint.trim();
			const isMissing = /not found|does not exist|couldn't find remote ref|not our ref/i.test(text);
			throw isMissing ? new NotFoundError(`git: ${text}`) : new UnavailableError(`git: ${text}`);
		} finally {
			signal.removeEventListener("abort", kill);
		}
	}
}

/** @throws InvalidParameterError for one that git would take for an option, or that is none */
function checkedRef(ref: string): string {
	if (ref.startsWith("-") || /[\s~^:?*[\\\0]|\.\./.test(ref))
		throw new InvalidParameterError(`invalid git reference: ${ref}`);
	return ref;
}
