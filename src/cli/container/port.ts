import { inspectContainer } from "../../client/containers.ts";
import type { Command } from "../command.ts";

export const command: Command = {
	usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
	examples: ["gantry port web", "gantry port web 80/tcp"],
	options: [],
	minArguments: 1,
	maxArguments: 2,
	async run(context, _options, [container = "", wanted]) {
		const { NetworkSettings } = await inspectContainer(await context.client(), container);
		const ports = NetworkSettings.Ports ?? {};
		if (wanted !== undefined) {
			const key = wanted.includes("/") ? wanted : `${wanted}/tcp`;
			if (!/^\d+\/(tcp|udp|sctp)$/.test(key))
				throw new Error(`Error: invalid port (${wanted}): strconv.ParseUint: parsing "${wanted}": invalid syntax`);
			const bindings = ports[key];
			if (!bindings || bindings.length === 0)
				throw new Error(`Error: No public port '${wanted}' published for ${container}`);
			for (const binding of bindings) context.stdout.line(hostPort(binding.HostIp ?? "", binding.HostPort ?? ""));
			return 0;
		}
		const lines = Object.entries(ports).flatMap(([port, bindings]) =>
			(bindings ?? []).map(({ HostIp = "", HostPort = "" }) => ({
				port,
				text: `${port} -> ${hostPort(HostIp, HostPort)}`,
			})),
		);
		lines.sort((a, b) => Number.parseInt(a.port, 10) - Number.parseInt(b.port, 10));
		for (const { text } of lines) context.stdout.line(text);
		return 0;
	},
};

function hostPort(address: string, port: string): string {
	return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
