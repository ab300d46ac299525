import type { SeccompSpec } from "../../api/oci/runtime-spec.ts";

/** Makes kernel filters of seccomp profiles, so that the OCI runtime need not do it at every start. */
export interface SeccompCompiler {
	/**
	 * The filter as the kernel takes it (an array of `struct sock_filter`). Results are kept: the same profile costs nothing
	 * the second time. Undefined when it cannot be compiled here; the OCI runtime then compiles the profile itself.
	 */
	compile(profile: SeccompSpec): Uint8Array | undefined;
}
