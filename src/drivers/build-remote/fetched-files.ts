import type { RemoteFile, RemoteFiles } from "../../core/build/remote-files.ts";
import type { GitSource } from "../../core/dockerfile/remote-source.ts";
import { type ProxySettings, proxyVariables, withVariables } from "../../core/remotes/proxy.ts";
import { GitProgram } from "./git-checkout.ts";
import { downloadFile } from "./http-download.ts";

/** Over HTTP, and by git. */
export class FetchedFiles implements RemoteFiles {
	readonly #git: GitProgram;

	constructor(readonly proxies: ProxySettings) {
		this.#git = new GitProgram(proxyVariables(proxies));
	}

	through(variables: ReadonlyMap<string, string>): RemoteFiles {
		return new FetchedFiles(withVariables(this.proxies, variables));
	}

	download(url: string, signal: AbortSignal): Promise<RemoteFile> {
		return downloadFile(url, this.proxies, signal);
	}

	checkOut(
		source: GitSource,
		directory: string,
		options: { readonly keepGitDir: boolean },
		signal: AbortSignal,
	): Promise<string> {
		return this.#git.checkOut(source, directory, options, signal);
	}

	commitOf(source: GitSource, signal: AbortSignal): Promise<string> {
		return this.#git.commitOf(source, signal);
	}
}
