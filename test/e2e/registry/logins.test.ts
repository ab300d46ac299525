/** Who asks: logins by either client, kept in the file or by a helper; passwords, tokens and their renewal; what the API takes. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ClientSuite } from "../../support/client-suite.ts";
import type { CommandOptions, CommandResult } from "../../support/commands.ts";
import { freePort } from "../../support/peers.ts";
import { RegistryContent } from "../../support/registry-content.ts";
import { type RegistryProcess, startRegistry } from "../../support/registry-server.ts";
import { TokenGate } from "../../support/token-gate.ts";

const suite = ClientSuite.use();
const CLIENTS = ["docker", "gantry"] as const;
type Client = (typeof CLIENTS)[number];

/** With passwords; with tokens and rights by repository; with nothing. */
let basic: RegistryProcess;
let tokens: RegistryProcess;
let open: RegistryProcess;
/** The client's configuration folder, new for each test. */
let config = "";

beforeAll(async () => {
	const users = join(suite.folder, "users");
	writeFileSync(users, `joe:${Bun.password.hashSync("secret", { algorithm: "bcrypt", cost: 4 })}\n`);
	const access = join(suite.folder, "access.yml");
	writeFileSync(
		access,
		"rules:\n- {user: joe, repositories: ['joe/**'], actions: ['*']}\n- {user: '*', repositories: ['shared/*'], actions: [pull]}\n",
	);
	const address = `127.0.0.1:${await freePort()}`;
	basic = await startRegistry(["--htpasswd", users]);
	tokens = await startRegistry([
		...["--htpasswd", users, "--access", access],
		...["--token-endpoint", `http://${address}/token`, "--addr", address],
	]);
	open = await startRegistry();
	await suite.must(["tag", "busybox", `${open.host}/any/app:1`]);
	await suite.must(["push", "-q", `${open.host}/any/app:1`]);
});
afterAll(async () => {
	for (const registry of [basic, tokens, open]) await registry[Symbol.asyncDispose]();
	expect(suite.daemon.log).not.toMatch(/secret|refresh-me|Bearer/);
});
beforeEach(() => {
	config = mkdtempSync(join(suite.folder, "config-"));
});

const run = (client: Client, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> =>
	suite.daemon[client](args, { ...options, env: { DOCKER_CONFIG: config, ...options.env } });
const must = async (client: Client, args: readonly string[], options: CommandOptions = {}): Promise<string> => {
	const { code, stdout, stderr } = await run(client, args, options);
	if (code !== 0) throw new Error(`${client} ${args.join(" ")}: ${code}\n${stdout}${stderr}`);
	return stdout;
};
const configFile = () => JSON.parse(readFileSync(join(config, "config.json"), "utf8"));
const header = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** How the daemon answers when asked about `any/app:1`. */
const distribution = async (host: string, value: string | undefined) => {
	const response = await fetch(`http://gantry/distribution/${host}/any/app:1/json`, {
		unix: suite.daemon.socketPath,
		headers: value === undefined ? {} : { "X-Registry-Auth": value },
	});
	await response.text();
	return response.status;
};

describe("a login", () => {
	for (const client of CLIENTS)
		test(`by ${client} is kept for both, used and forgotten`, async () => {
			const image = `${basic.host}/team/${client}:1`;
			await suite.must(["tag", "busybox", image]);
			expect((await run(client, ["push", image])).stderr).toContain("no basic auth credentials");
			const login = ["login", "-u", "joe", "--password-stdin", basic.host];
			const wrong = await run(client, login, { stdin: "wrong" });
			const why = `login attempt to http://${basic.host}/v2/ failed with status: 401 Unauthorized`;
			expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining(why)]);
			expect(existsSync(join(config, "config.json")) && configFile().auths?.[basic.host] !== undefined).toBe(false);
			expect(await must(client, login, { stdin: "secret\n" })).toContain("Login Succeeded");
			expect(configFile().auths[basic.host]).toEqual({ auth: btoa("joe:secret") });
			const again = await run(client, ["login", basic.host]);
			expect(again.stdout + again.stderr).toContain("Authenticating with existing credentials... [Username: joe]");
			expect(again.stderr).not.toContain("stored unencrypted");
			for (const either of CLIENTS) {
				await must(either, ["push", image]);
				await must(either, ["pull", image]);
				await must(either, ["search", "--format", "{{.Name}}", `${basic.host}/team`]);
			}
			const other = client === "docker" ? "gantry" : "docker";
			expect(await must(other, ["logout", basic.host])).toContain(`Removing login credentials for ${basic.host}`);
			expect((await run(client, ["pull", image])).code).toBe(1);
		});

	test("goes through a helper program where one is named, for all servers or for one", async () => {
		const bin = join(config, "bin");
		const store = join(config, "store");
		mkdirSync(bin);
		mkdirSync(store);
		// The protocol of docker's helpers: an action, its subject on standard input, JSON out.
		writeFileSync(
			join(bin, "docker-credential-folder"),
			[
				"#!/bin/sh",
				'input=$(cat); name() { printf %s "$1" | tr -c "a-zA-Z0-9\\n" _; }',
				"case $1 in",
				`store) server=$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/'); printf %s "$input" > ${store}/$(name "$server") ;;`,
				`get) cat ${store}/$(name "$input") 2>/dev/null || { echo "credentials not found in native keychain"; exit 1; } ;;`,
				`erase) rm -f ${store}/$(name "$input") ;;`,
				"esac",
			].join("\n"),
		);
		chmodSync(join(bin, "docker-credential-folder"), 0o755);
		const env = { PATH: `${bin}:${process.env["PATH"]}` };
		const image = `${basic.host}/helped/app:1`;
		await suite.must(["tag", "busybox", image]);
		for (const settings of [{ credsStore: "folder" }, { credHelpers: { [basic.host]: "folder" } }])
			for (const client of CLIENTS) {
				writeFileSync(join(config, "config.json"), JSON.stringify(settings));
				await must(client, ["login", "-u", "joe", "--password-stdin", basic.host], { stdin: "secret", env });
				expect(readFileSync(join(config, "config.json"), "utf8")).not.toContain(btoa("joe:secret"));
				for (const either of CLIENTS) await must(either, ["push", image], { env });
				await must(client, ["logout", basic.host], { env });
				for (const either of CLIENTS) expect((await run(either, ["push", image], { env })).code).toBe(1);
			}
		writeFileSync(join(config, "config.json"), JSON.stringify({ credsStore: "missing" }));
		expect((await run("gantry", ["push", image], { env })).stderr).toContain("docker-credential-missing");
	});

	test("counts for a search where strangers may see something, too", async () => {
		const [users, access] = [join(suite.folder, "users"), join(suite.folder, "strangers.yml")];
		writeFileSync(
			access,
			"rules:\n- {user: joe, repositories: ['public/*', 'private/*'], actions: ['*']}\n- {user: anonymous, repositories: ['public/*'], actions: [pull]}\n",
		);
		await using mixed = await startRegistry(["--htpasswd", users, "--access", access]);
		await must("gantry", ["login", "-u", "joe", "--password-stdin", mixed.host], { stdin: "secret" });
		for (const name of ["public/app", "private/app"]) {
			await suite.must(["tag", "busybox", `${mixed.host}/${name}:1`]);
			await must("gantry", ["push", "-q", `${mixed.host}/${name}:1`]);
		}
		const search = ["search", "--format", "{{.Name}}", `${mixed.host}/app`];
		for (const client of CLIENTS) expect(await must(client, search)).toBe("private/app\npublic/app\n");
		for (const client of CLIENTS) {
			const { code, stderr } = await run(client, ["manifest", "inspect", "--insecure", `${mixed.host}/other/app:1`]);
			expect([code, stderr]).toEqual([
				1,
				expect.stringContaining("denied: requested access to the resource is denied"),
			]);
		}
		const value = header({ username: "joe", password: "secret" });
		expect(await distribution(`${mixed.host}/other`, value)).toBe(403);
		await must("gantry", ["logout", mixed.host]);
		for (const client of CLIENTS) expect(await must(client, search)).toBe("public/app\n");
	});

	test("is found in a file as others write it", async () => {
		const image = `${basic.host}/shapes/app:1`;
		await suite.must(["tag", "busybox", image]);
		const auth = btoa("joe:secret");
		for (const auths of [
			{ [basic.host]: { auth } },
			{ [`http://${basic.host}`]: { auth } },
			{ [`https://${basic.host}/v1/`]: { auth } },
			{ [basic.host]: { auth, email: "joe@example.org" }, "other:5000": { auth: btoa("eve:x") } },
		]) {
			writeFileSync(join(config, "config.json"), JSON.stringify({ auths, experimental: "enabled" }));
			for (const client of CLIENTS) await must(client, ["push", image]);
		}
	});
});

describe("tokens", () => {
	test("have the rights of their user and no more; a mount takes one for both repositories", async () => {
		await must("docker", ["login", "-u", "joe", "--password-stdin", tokens.host], { stdin: "secret" });
		for (const [client, name] of [
			["docker", "joe/one"],
			["gantry", "joe/two"],
		] as const) {
			await suite.must(["tag", "busybox", `${tokens.host}/${name}:1`]);
			const output = await must(client, ["push", `${tokens.host}/${name}:1`]);
			expect(output).toContain(name === "joe/one" ? ": Pushed" : ": Mounted from joe/one");
		}
		for (const repository of ["jane/one", "shared/one"]) {
			await suite.must(["tag", "busybox", `${tokens.host}/${repository}:1`]);
			const { code, stderr } = await run("gantry", ["push", `${tokens.host}/${repository}:1`]);
			expect([code, stderr]).toEqual([1, expect.stringContaining("unauthorized: authentication required")]);
		}
	});

	test("that all layers of a push want at once are asked for once", async () => {
		const layers = ["a", "b", "c", "d"].map((name) => ({ files: { [name]: name } }));
		await new RegistryContent(open.url, "many/layers").image({ layers }, "1");
		await suite.must(["pull", `${open.host}/many/layers:1`]);
		for (const client of CLIENTS) {
			await using gate = new TokenGate({ upstream: open.url });
			await must("gantry", ["login", "-u", "joe", "--password-stdin", gate.host], { stdin: "secret" });
			await suite.must(["tag", `${open.host}/many/layers:1`, `${gate.host}/many/${client}:1`]);
			await must(client, ["push", `${gate.host}/many/${client}:1`]);
			const scope = `repository:many/${client}:pull,push`;
			expect(gate.tokenRequests.filter(({ scopes }) => scopes.length === 1 && scopes[0] === scope)).toHaveLength(1);
		}
	});

	test("that end in the middle of a push are renewed", async () => {
		await using gate = new TokenGate({ upstream: open.url, requestsPerToken: 2 });
		const image = `${gate.host}/expiring/app:1`;
		await must("gantry", ["login", "-u", "joe", "--password-stdin", gate.host], { stdin: "secret" });
		// One layer, so that nothing goes on side by side that could use up another's token.
		await suite.must(["tag", "busybox", image]);
		await must("gantry", ["push", image]);
		const pushing = gate.tokenRequests.filter(({ scopes }) => scopes.includes("repository:expiring/app:pull,push"));
		expect(pushing.length).toBeGreaterThan(2);
		expect(gate.requests.at(-1)).toBe("PUT /v2/expiring/app/manifests/1");
		await suite.must(["rmi", image]);
		await must("docker", ["pull", image]);
	});

	test("of identity are kept in place of the password, and exchanged for those of each repository", async () => {
		await using gate = new TokenGate({ upstream: open.url, refreshToken: "refresh-me" });
		for (const client of CLIENTS) {
			// The official client asks the registry itself, and for no such token.
			await must("gantry", ["login", "-u", "joe", "--password-stdin", gate.host], { stdin: "secret" });
			expect(configFile().auths[gate.host].identitytoken).toBe("refresh-me");
			gate.tokenRequests.length = 0;
			await must(client, ["pull", `${gate.host}/any/app:1`]);
			const [request] = gate.tokenRequests;
			expect(request).toMatchObject({ method: "POST", authorization: undefined, scopes: ["repository:any/app:pull"] });
			expect(request?.fields).toMatchObject({
				grant_type: "refresh_token",
				refresh_token: "refresh-me",
				service: "gate",
			});
		}
	});

	test("are refused for a wrong password, once and clearly", async () => {
		await using gate = new TokenGate({ upstream: open.url });
		const login = await run("gantry", ["login", "-u", "joe", "--password-stdin", gate.host], { stdin: "wrong" });
		expect([login.code, login.stderr]).toEqual([
			1,
			expect.stringContaining(`Get "http://${gate.host}/v2/": unauthorized: incorrect username or password`),
		]);
		expect(gate.tokenRequests).toHaveLength(1);
	});
});

describe("X-Registry-Auth", () => {
	test("is read in every form clients send", async () => {
		await using gate = new TokenGate({ upstream: open.url, refreshToken: "refresh-me" });
		const json = JSON.stringify({ username: "joe", password: "secret", serveraddress: "whatever" });
		for (const value of [
			Buffer.from(json).toString("base64url"),
			Buffer.from(json).toString("base64"),
			header({ auth: btoa("joe:secret") }),
			header({ identitytoken: "refresh-me" }),
			header({ username: "joe", password: "secret", identitytoken: "", email: "x" }),
		])
			expect(await distribution(gate.host, value)).toBe(200);
		for (const value of [undefined, "", "e30=", "null", "%%%", header([]), header({ username: "joe", password: "no" })])
			expect(await distribution(gate.host, value)).toBe(401);
	});

	test("with a registry token sends it as it is, and asks for no other", async () => {
		await using gate = new TokenGate({ upstream: open.url });
		expect(await distribution(gate.host, header({ registrytoken: "ready-made" }))).toBe(401);
		expect(new Set(gate.authorizations)).toEqual(new Set(["Bearer ready-made"]));
		expect(gate.tokenRequests).toEqual([]);
	});

	test("for one registry goes to no other", async () => {
		const other = Bun.serve({
			port: 0,
			hostname: "127.0.0.1",
			fetch: (request) => {
				seen.push(request.headers.get("authorization"));
				return new Response("", { status: 401, headers: { "WWW-Authenticate": 'Basic realm="give me"' } });
			},
		});
		const seen: (string | null)[] = [];
		const redirecting = Bun.serve({
			port: 0,
			hostname: "127.0.0.1",
			fetch: (request) => {
				const { pathname } = new URL(request.url);
				return Response.redirect(`http://127.0.0.1:${other.port}${pathname}`, 307);
			},
		});
		try {
			const credentials = header({ username: "joe", password: "secret" });
			expect(await distribution(`127.0.0.1:${redirecting.port}`, credentials)).not.toBe(200);
			expect(seen.length).toBeGreaterThan(0);
			expect(new Set(seen)).toEqual(new Set([null]));
		} finally {
			await other.stop(true);
			await redirecting.stop(true);
			rmSync(config, { recursive: true, force: true });
		}
	});
});
