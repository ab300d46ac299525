import type { VersionResponse } from "../../api/engine/system.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { daemonVersion } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { Template } from "../formatter/template.ts";
import { FORMAT_OPTION } from "../list-options.ts";
import { CLI_VERSION } from "../version-text.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry version --format '{{.Server.Version}}'"],
	options: [{ ...FORMAT_OPTION, short: "f", help: "json, or a Go template such as {{.Server.Version}}" }],
	maxArguments: 0,
	async run(context, options) {
		const client = await context.client();
		const { server, failure } = await askDaemon(client);
		const format = options.text("format");
		const versions = { Client: clientVersion(client), Server: server ?? null };
		if (format === "json") context.stdout.line(JSON.stringify(versions));
		else if (format !== "") context.stdout.line(new Template(format).execute(versions));
		else {
			context.stdout.write(describeClient(versions.Client));
			if (server !== undefined) context.stdout.write(describeServer(server));
		}
		if (failure !== undefined) throw failure;
		return 0;
	},
};

async function askDaemon(client: EngineClient): Promise<{ server?: VersionResponse; failure?: unknown }> {
	try {
		return { server: await daemonVersion(client) };
	} catch (failure) {
		return { failure };
	}
}

/** The runtime's fields keep the names that scripts ask docker for. */
function clientVersion(client: EngineClient) {
	return {
		Platform: { Name: "Gantry" },
		Version: CLI_VERSION,
		ApiVersion: client.apiVersion,
		DefaultAPIVersion: client.apiVersion,
		GitCommit: "",
		GoVersion: `bun${Bun.version}`,
		Os: process.platform,
		Arch: process.arch === "x64" ? "amd64" : process.arch,
		BuildTime: "",
		Context: "default",
	};
}

function describeClient(version: ReturnType<typeof clientVersion>): string {
	return [
		"Client: Gantry",
		` Version:           ${version.Version}`,
		` API version:       ${version.ApiVersion}`,
		` Runtime:           ${version.GoVersion}`,
		` OS/Arch:           ${version.Os}/${version.Arch}`,
		` Context:           ${version.Context}`,
		"",
	].join("\n");
}

function describeServer(server: VersionResponse): string {
	const lines = ["", `Server:${server.Platform?.Name ? ` ${server.Platform.Name}` : ""}`];
	for (const { Name, Version, Details = {} } of server.Components ?? [{ Name: "Engine", Version: server.Version }]) {
		lines.push(` ${Name}:`, `  Version:          ${Version}`);
		if (Name !== "Engine") {
			lines.push(`  GitCommit:        ${Details["GitCommit"] ?? ""}`);
			continue;
		}
		lines.push(
			`  API version:      ${server.ApiVersion}${server.MinAPIVersion ? ` (minimum version ${server.MinAPIVersion})` : ""}`,
			...(server.GoVersion ? [`  Runtime:          ${server.GoVersion}`] : []),
			...(server.GitCommit ? [`  Git commit:       ${server.GitCommit}`] : []),
			...(server.BuildTime ? [`  Built:            ${server.BuildTime}`] : []),
			`  OS/Arch:          ${server.Os}/${server.Arch}`,
			`  Experimental:     ${Details["Experimental"] ?? "false"}`,
		);
	}
	return `${lines.join("\n")}\n`;
}
