/**
 * The default seccomp profile as data: what a container may call of the kernel. Everything else fails with EPERM.
 * What is left out can reach beyond the container: kernel modules, mounts, keyrings, other namespaces, raw devices.
 */

/** Allowed for every container, by subject. */
export const ALLOWED_SYSCALLS: readonly string[] = [
	// Sockets
	"accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 " +
		"recvmsg send sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair",
	// Signals
	"alarm kill pause pidfd_send_signal restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo " +
		"rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack signalfd " +
		"signalfd4 sigprocmask sigreturn tgkill tkill",
	// Time
	"adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 " +
		"clock_nanosleep clock_nanosleep_time64 futex_time64 futimesat getitimer gettimeofday io_pgetevents_time64 " +
		"mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 nanosleep ppoll_time64 " +
		"pselect6_time64 sched_rr_get_interval_time64 semtimedop semtimedop_time64 setitimer time timer_create " +
		"timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create " +
		"timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64 times utime utimensat utimensat_time64 " +
		"utimes",
	// Memory
	"brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall " +
		"mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect " +
		"process_mrelease remap_file_pages",
	// Waiting for descriptors
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old " +
		"eventfd eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch _newselect poll " +
		"ppoll pselect6 select",
	// Asynchronous and vectored input and output
	"copy_file_range io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit pread64 preadv preadv2 " +
		"pwrite64 pwritev pwritev2 read readv sendfile sendfile64 splice tee vmsplice write writev",
	// System V and POSIX inter-process communication
	"ipc mq_getsetattr mq_notify mq_open mq_unlink msgctl msgget msgrcv msgsnd semctl semget semop shmat shmctl " +
		"shmdt shmget",
	// Futexes and robust lists
	"futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list set_robust_list",
	// Users and groups
	"capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getpgid getresgid " +
		"getresgid32 getresuid getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 " +
		"setgroups setgroups32 setpgid setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid " +
		"setreuid32 setuid setuid32",
	// Scheduling
	"getcpu getpriority ioprio_get ioprio_set rseq sched_getaffinity sched_getattr sched_getparam " +
		"sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity " +
		"sched_setattr sched_setparam sched_setscheduler sched_yield setpriority",
	// Extended attributes
	"fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr " +
		"lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat",
	// Processes and threads
	"execve execveat exit exit_group fork getpgrp getpid getppid getrlimit getrusage getsid get_thread_area " +
		"gettid landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open prctl prlimit64 seccomp " +
		"setrlimit setsid set_thread_area set_tid_address sysinfo ugetrlimit uname vfork wait4 waitid waitpid",
	// Files, directories and descriptors
	"access chdir chmod chown chown32 close close_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 " +
		"fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync " +
		"flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 getcwd getdents getdents64 " +
		"getrandom ioctl lchown lchown32 link linkat listmount _llseek lseek lstat lstat64 mkdir mkdirat mknod " +
		"mknodat name_to_handle_at newfstatat open openat openat2 pipe pipe2 readahead readlink readlinkat rename " +
		"renameat renameat2 riscv_hwprobe rmdir stat stat64 statfs statfs64 statmount statx symlink symlinkat sync " +
		"sync_file_range syncfs truncate truncate64 umask unlink unlinkat uretprobe",
].flatMap((names) => names.split(" "));

export interface ConditionalSyscalls {
	/** Any of these capabilities opens the group. */
	readonly capability?: string;
	/** The group is for containers without this capability. */
	readonly withoutCapability?: string;
	/** Go's names: `amd64`, `arm64`, … */
	readonly architectures?: readonly string[];
	readonly notArchitectures?: readonly string[];
	/** From this kernel on. */
	readonly kernel?: readonly [major: number, minor: number];
	readonly names: string;
	readonly args?: readonly {
		readonly index: number;
		readonly op: string;
		readonly value: number;
		readonly valueTwo?: number;
	}[];
	/** The call fails with this number instead of being allowed. */
	readonly errno?: number;
}

const AF_ALG = 38;
const AF_VSOCK = 40;
/** CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}: none of them may be set. */
const CLONE_NAMESPACES = 0x7e020000;
const ENOSYS = 38;
const S390 = ["s390", "s390x"];

const personality = (value: number): ConditionalSyscalls => ({
	names: "personality",
	args: [{ index: 0, op: "SCMP_CMP_EQ", value }],
});

/** Groups that depend on the container or the machine. */
export const CONDITIONAL_SYSCALLS: readonly ConditionalSyscalls[] = [
	// Tracing could bypass the filter before Linux 4.8.
	{ kernel: [4, 8], names: "process_vm_readv process_vm_writev ptrace" },
	// Every socket family but the kernel's crypto interface and the virtual machine monitor's.
	{ names: "socket", args: [{ index: 0, op: "SCMP_CMP_LT", value: AF_ALG }] },
	{ names: "socket", args: [{ index: 0, op: "SCMP_CMP_EQ", value: AF_ALG + 1 }] },
	{ names: "socket", args: [{ index: 0, op: "SCMP_CMP_GT", value: AF_VSOCK }] },
	// PER_LINUX, PER_LINUX32, both with UNAME26, and the query.
	personality(0x0),
	personality(0x8),
	personality(0x20000),
	personality(0x20008),
	personality(0xffffffff),
	{ architectures: ["ppc64le"], names: "sync_file_range2 swapcontext" },
	{
		architectures: ["arm", "arm64"],
		names: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
	},
	{ architectures: ["amd64", "x32"], names: "arch_prctl" },
	{ architectures: ["amd64", "x32", "x86"], names: "modify_ldt" },
	{ architectures: S390, names: "s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr" },
	{ architectures: ["riscv64"], names: "riscv_flush_icache" },
	{ capability: "CAP_DAC_READ_SEARCH", names: "open_by_handle_at" },
	{
		capability: "CAP_SYS_ADMIN",
		names:
			"bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules " +
			"lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname " +
			"sethostname setns syslog umount umount2 unshare",
	},
	{
		withoutCapability: "CAP_SYS_ADMIN",
		notArchitectures: S390,
		names: "clone",
		args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: CLONE_NAMESPACES, valueTwo: 0 }],
	},
	{
		// There the flags are the second argument.
		withoutCapability: "CAP_SYS_ADMIN",
		architectures: S390,
		names: "clone",
		args: [{ index: 1, op: "SCMP_CMP_MASKED_EQ", value: CLONE_NAMESPACES, valueTwo: 0 }],
	},
	// Its flags are behind a pointer, out of a filter's reach; ENOSYS makes C libraries fall back to clone.
	{ withoutCapability: "CAP_SYS_ADMIN", names: "clone3", errno: ENOSYS },
	{ capability: "CAP_SYS_BOOT", names: "reboot" },
	{ capability: "CAP_SYS_CHROOT", names: "chroot" },
	{ capability: "CAP_SYS_MODULE", names: "delete_module init_module finit_module" },
	{ capability: "CAP_SYS_PACCT", names: "acct" },
	{
		capability: "CAP_SYS_PTRACE",
		names: "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace",
	},
	{ capability: "CAP_SYS_RAWIO", names: "iopl ioperm" },
	{ capability: "CAP_SYS_TIME", names: "settimeofday stime clock_settime clock_settime64" },
	{ capability: "CAP_SYS_TTY_CONFIG", names: "vhangup" },
	{ capability: "CAP_SYS_NICE", names: "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ capability: "CAP_SYSLOG", names: "syslog" },
	{ capability: "CAP_BPF", names: "bpf" },
	{ capability: "CAP_PERFMON", names: "perf_event_open" },
];

/** libseccomp's name of each architecture, and of those its kernels run besides. */
export const SECCOMP_ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
	amd64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
	arm64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
	mips64: ["SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64N32"],
	mips64n32: ["SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64"],
	mipsel64: ["SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64N32"],
	mipsel64n32: ["SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64"],
	s390x: ["SCMP_ARCH_S390X", "SCMP_ARCH_S390"],
	riscv64: ["SCMP_ARCH_RISCV64"],
	loong64: ["SCMP_ARCH_LOONGARCH64"],
};
