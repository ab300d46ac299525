import type { ContainerStats } from "../../api/engine/container.ts";
import { type Clock, delay } from "../../base/clock.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { ResourceMonitor } from "../../core/container/resource-monitor.ts";
import { isRunning } from "../../core/container/state.ts";
import { type StatsSample, statsView } from "../../core/container/stats-view.ts";
import type { NetworkDriver } from "../../core/network/driver.ts";
import { hasSandbox } from "../network/container-networking.ts";
import type { ContainerRegistry } from "./registry.ts";

const INTERVAL_MS = 1000;

export interface ContainerSamplerDependencies {
	readonly registry: ContainerRegistry;
	readonly monitor: ResourceMonitor;
	readonly network: NetworkDriver;
	readonly clock: Clock;
}

/** Samples a container's counters, once or every second. */
export class ContainerSampler {
	readonly #deps: ContainerSamplerDependencies;

	constructor(deps: ContainerSamplerDependencies) {
		this.#deps = deps;
	}

	/**
	 * Ends with the removal of the container, or the abort. A stopped container gives zeros.
	 * @param options `oneShot`: a single answer without a previous sample to compare with
	 */
	async *samples(
		record: ContainerRecord,
		options: { readonly stream: boolean; readonly oneShot: boolean },
		signal: AbortSignal,
	): AsyncGenerator<ContainerStats> {
		const { registry } = this.#deps;
		let previous: StatsSample | undefined;
		if (!options.stream && !options.oneShot && isRunning(record.lifecycle)) {
			previous = await this.#sample(record);
			if (!(await this.#pause(signal))) return;
		}
		for (;;) {
			const current = registry.find(record.id);
			if (current === undefined || registry.isHidden(record.id)) return;
			const sample = await this.#sample(current);
			yield statsView(current, sample, sample === undefined ? undefined : previous);
			if (!options.stream) return;
			previous = sample;
			if (!(await this.#pause(signal))) return;
		}
	}

	async #pause(signal: AbortSignal): Promise<boolean> {
		try {
			await delay(this.#deps.clock, INTERVAL_MS, signal);
			return true;
		} catch (error) {
			if (signal.aborted) return false;
			throw error;
		}
	}

	async #sample(record: ContainerRecord): Promise<StatsSample | undefined> {
		const { monitor, clock } = this.#deps;
		if (!isRunning(record.lifecycle)) return undefined;
		const usage = monitor.usage(record.lifecycle.pid);
		if (usage === undefined) return undefined;
		const { cpuNs, onlineCpus } = monitor.system();
		const networks = await this.#networks(record);
		return { readAt: clock.now(), usage, systemCpuNs: cpuNs, onlineCpus, networks };
	}

	async #networks(record: ContainerRecord): Promise<StatsSample["networks"]> {
		const { registry, network } = this.#deps;
		if (!hasSandbox(record)) return {};
		try {
			return await network.statistics(record.id);
		} catch (error) {
			// It has ended while it was being looked at.
			const current = registry.find(record.id);
			if (current === undefined || !isRunning(current.lifecycle)) return {};
			throw error;
		}
	}
}
