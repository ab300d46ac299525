import type { InfoResponse } from "../../api/engine/system.ts";
import { humanSize } from "../../base/units.ts";
import type { EngineClient } from "../../client/engine-client.ts";
import { daemonInfo } from "../../client/system.ts";
import type { Command } from "../command.ts";
import { Template } from "../formatter/template.ts";
import { FORMAT_OPTION } from "../list-options.ts";
import { CLI_VERSION } from "../version-text.ts";

export const command: Command = {
	usage: "[OPTIONS]",
	examples: ["gantry info --format '{{.Driver}}'"],
	options: [{ ...FORMAT_OPTION, short: "f", help: "json, or a Go template such as {{.Driver}}" }],
	maxArguments: 0,
	async run(context, options) {
		const { isDebug } = context.globals;
		const { info, failure } = await askDaemon(await context.client());
		const format = options.text("format");
		const client = { Version: CLI_VERSION, Context: "default", Debug: isDebug, Plugins: [], Warnings: null };
		const data = { ...info, ClientInfo: client };
		if (format === "json") context.stdout.line(JSON.stringify(data));
		else if (format !== "") context.stdout.line(new Template(format).execute(data));
		else {
			context.stdout.write(
				`Client: Gantry\n Version:    ${CLI_VERSION}\n Context:    default\n Debug Mode: ${isDebug}\n\nServer:\n`,
			);
			if (info !== undefined) context.stdout.write(describeInfo(info));
		}
		await context.stdout.flush();
		for (const warning of info?.Warnings ?? []) context.stderr.line(warning);
		if (failure !== undefined) throw failure;
		return 0;
	},
};

async function askDaemon(client: EngineClient): Promise<{ info?: InfoResponse; failure?: unknown }> {
	try {
		return { info: await daemonInfo(client) };
	} catch (failure) {
		return { failure };
	}
}

function describeInfo(info: InfoResponse): string {
	const lines: string[] = [];
	const line = (name: string, value: unknown, indent = 1) => {
		if (value !== undefined && value !== null && value !== "")
			lines.push(`${" ".repeat(indent)}${name}: ${String(value)}`);
	};
	line("Containers", info.Containers);
	line("Running", info.ContainersRunning, 2);
	line("Paused", info.ContainersPaused, 2);
	line("Stopped", info.ContainersStopped, 2);
	line("Images", info.Images);
	line("Server Version", info.ServerVersion);
	line("Storage Driver", info.Driver);
	for (const [name, value] of info.DriverStatus ?? []) line(name, value, 2);
	line("Logging Driver", info["LoggingDriver"]);
	line("Cgroup Driver", info["CgroupDriver"]);
	line("Cgroup Version", info["CgroupVersion"]);
	describePlugins(lines, info["Plugins"]);
	const swarm = record(info["Swarm"]);
	line("Swarm", swarm["LocalNodeState"]);
	line("Runtimes", Object.keys(record(info["Runtimes"])).sort().join(" "));
	line("Default Runtime", info["DefaultRuntime"]);
	line("Init Binary", info["InitBinary"]);
	const security = strings(info["SecurityOptions"]);
	if (security.length > 0) lines.push(" Security Options:");
	for (const option of security) describeSecurityOption(lines, option);
	line("Kernel Version", info["KernelVersion"]);
	line("Operating System", info["OperatingSystem"]);
	line("OSType", info["OSType"]);
	line("Architecture", info["Architecture"]);
	line("CPUs", info["NCPU"]);
	line("Total Memory", humanSize(Number(info["MemTotal"] ?? 0), 1024));
	line("Name", info.Name);
	line("ID", info.ID);
	line("Docker Root Dir", info["DockerRootDir"]);
	line("Debug Mode", info["Debug"]);
	line("HTTP Proxy", info["HttpProxy"]);
	line("HTTPS Proxy", info["HttpsProxy"]);
	line("No Proxy", info["NoProxy"]);
	describeList(lines, "Labels", strings(info["Labels"]));
	line("Experimental", info["ExperimentalBuild"]);
	const registries = record(info["RegistryConfig"]);
	describeList(lines, "Insecure Registries", strings(registries["InsecureRegistryCIDRs"]));
	describeList(lines, "Registry Mirrors", strings(registries["Mirrors"]));
	const { Driver, Info } = record(info["FirewallBackend"]);
	line("Firewall Backend", Driver);
	for (const [name, value] of (Info as [string, string][] | undefined) ?? []) line(name, value, 2);
	line("Live Restore Enabled", info["LiveRestoreEnabled"]);
	line("Product License", info["ProductLicense"]);
	return `${lines.join("\n")}\n\n`;
}

function describePlugins(lines: string[], value: unknown): void {
	const plugins = record(value);
	lines.push(" Plugins:");
	for (const kind of ["Volume", "Network", "Authorization", "Log"]) {
		const names = strings(plugins[kind]);
		if (names.length > 0) lines.push(`  ${kind}: ${names.join(" ")}`);
	}
}

/** `name=seccomp,profile=builtin` on two lines. */
function describeSecurityOption(lines: string[], option: string): void {
	for (const part of option.split(",")) {
		const equals = part.indexOf("=");
		const [name, value] = [part.slice(0, Math.max(0, equals)), part.slice(equals + 1)];
		if (name === "name" || equals < 0) lines.push(`  ${value}`);
		else lines.push(`   ${name.charAt(0).toUpperCase()}${name.slice(1)}: ${value}`);
	}
}

function describeList(lines: string[], title: string, values: readonly string[]): void {
	if (values.length > 0) lines.push(` ${title}:`, ...values.map((value) => `  ${value}`));
}

function record(value: unknown): Record<string, unknown> {
	return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function strings(value: unknown): string[] {
	return Array.isArray(value) ? value.map(String) : [];
}
