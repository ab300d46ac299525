/** Another host on a wire to an engine's: clients of published ports come from there. */
import { randomBytes } from "node:crypto";

const NET = "198.18.77";

export class OutsideHost implements AsyncDisposable {
	readonly #name: string;

	private constructor(
		private readonly link: string,
		private readonly engineNamespace: string | undefined,
	) {
		this.#name = `${link}-host`;
	}

	/** The engine's address on the wire. */
	readonly target = `${NET}.1`;

	/** Goes before a program that is to run there. */
	get prefix(): readonly string[] {
		return ["nsenter", `--net=/run/netns/${this.#name}`];
	}

	/** @param engineNamespace path of the engine's network namespace; undefined: this one */
	static async create(engineNamespace: string | undefined): Promise<OutsideHost> {
		const host = new OutsideHost(`gb${randomBytes(3).toString("hex")}`, engineNamespace);
		const { link } = host;
		await run("ip", "netns", "add", host.#name);
		await host.#inEngine("ip", "link", "add", link, "type", "veth", "peer", "name", `${link}p`);
		await host.#inEngine("ip", "link", "set", `${link}p`, "netns", host.#name);
		await host.#inEngine("ip", "addr", "add", `${NET}.1/24`, "dev", link);
		await host.#inEngine("ip", "link", "set", link, "up");
		await run("ip", "-n", host.#name, "addr", "add", `${NET}.2/24`, "dev", `${link}p`);
		await run("ip", "-n", host.#name, "link", "set", `${link}p`, "up");
		return host;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#inEngine("ip", "link", "delete", this.link);
		await run("ip", "netns", "delete", this.#name);
	}

	#inEngine(...argv: string[]): Promise<void> {
		return this.engineNamespace === undefined ? run(...argv) : run("nsenter", `--net=${this.engineNamespace}`, ...argv);
	}
}

async function run(...argv: string[]): Promise<void> {
	const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
	const [errors, code] = await Promise.all([child.stderr.text(), child.exited]);
	if (code !== 0) throw new Error(`${argv.join(" ")} ended with code ${code}: ${errors.trim()}`);
}
