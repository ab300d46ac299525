import type { ExecCreateRequest } from "../../api/engine/exec.ts";
import { NotFoundError } from "../../base/errors.ts";
import type { ContainerRecord } from "../../core/container/container-record.ts";
import type { HostFacts } from "../../core/container/host-facts.ts";
import type { ContainerHostFiles } from "../../core/container/host-files.ts";
import type { SpecDefaults } from "../../core/container/runtime-spec.ts";
import { isRunning, notRunning } from "../../core/container/state.ts";
import { buildExecProcess } from "../../core/exec/exec-spec.ts";

export interface ExecProcessSettings {
	readonly host: HostFacts;
	readonly daemon: SpecDefaults;
}

/** The OCI process of an exec, with the users of the running container. */
export class ExecProcessBuilder {
	readonly #files: ContainerHostFiles;
	readonly #settings: ExecProcessSettings;

	constructor(files: ContainerHostFiles, settings: ExecProcessSettings) {
		this.#files = files;
		this.#settings = settings;
	}

	/** @throws InvalidParameterError for an unknown user, ConflictError when the container has ended */
	build(record: ContainerRecord, request: ExecCreateRequest): unknown {
		if (!isRunning(record.lifecycle)) throw notRunning(record.id);
		return buildExecProcess({
			record,
			request,
			userFiles: this.#accounts(record.id, record.lifecycle.pid),
			host: this.#settings.host,
			daemon: this.#settings.daemon,
		});
	}

	/** The container may have ended a moment ago, and nobody has noted it yet. */
	#accounts(id: string, pid: number): ReturnType<ContainerHostFiles["readAccounts"]> {
		try {
			return this.#files.readAccounts(`/proc/${pid}/root`);
		} catch (error) {
			if (error instanceof NotFoundError) throw notRunning(id);
			throw error;
		}
	}
}
