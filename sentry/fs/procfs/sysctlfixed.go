package procfs

import (
	"strconv"
	"strings"

	"cordon/internal/linux"
	"cordon/sentry/task"
)

// fixedSysctls are the rows with a value that holds throughout: what programs
// look at, as it is true here. Each may be written with the value it has, if
// its mode lets it be written.
func fixedSysctls() []Sysctl {
	var out []Sysctl
	for l := range strings.Lines(fixedRows) {
		mode, rest, ok := strings.Cut(strings.TrimSpace(l), " ")
		if !ok {
			continue
		}
		path, value, _ := strings.Cut(rest, " ")
		m, err := strconv.ParseUint(mode, 8, 16)
		if err != nil {
			continue
		}
		value = strings.Join(strings.Fields(value), "\t")
		if strings.HasPrefix(path, "net/ipv4/tcp_a") && strings.HasSuffix(path, "congestion_control") {
			value = strings.ReplaceAll(value, "\t", " ")
		}
		out = append(out, Sysctl{Path: path, Mode: linux.FileMode(m), Get: func(*task.Task) string { return value }})
	}
	return out
}

// fixedRows has a mode, a path and a value in each line.
const fixedRows = `
644 fs/aio-max-nr 65536
444 fs/aio-nr 0
644 fs/dir-notify-enable 1
644 fs/inotify/max_queued_events 16384
644 fs/inotify/max_user_instances 128
644 fs/inotify/max_user_watches 65536
644 fs/lease-break-time 45
644 fs/leases-enable 1
644 fs/overflowgid 65534
644 fs/overflowuid 65534
644 fs/pipe-max-size 1048576
644 fs/pipe-user-pages-hard 0
644 fs/pipe-user-pages-soft 16384
644 fs/suid_dumpable 0
644 kernel/acct 4 2 30
444 kernel/arch x86_64
644 kernel/auto_msgmni 0
444 kernel/bootloader_type 0
444 kernel/bootloader_version 0
600 kernel/cad_pid 1
644 kernel/core_pattern core
644 kernel/core_pipe_limit 0
644 kernel/core_uses_pid 0
644 kernel/ctrl-alt-del 1
644 kernel/dmesg_restrict 1
644 kernel/hung_task_timeout_secs 120
644 kernel/io_uring_disabled 2
644 kernel/io_uring_group -1
644 kernel/keys/gc_delay 300
644 kernel/keys/maxbytes 20000
644 kernel/keys/maxkeys 200
644 kernel/keys/root_maxbytes 25000000
644 kernel/keys/root_maxkeys 1000000
644 kernel/kptr_restrict 0
644 kernel/max_lock_depth 1024
444 kernel/msg_next_id -1
444 kernel/ngroups_max 65536
644 kernel/numa_balancing 0
644 kernel/oops_limit 10000
444 kernel/ostype Linux
644 kernel/overflowgid 65534
644 kernel/overflowuid 65534
644 kernel/panic 0
644 kernel/panic_on_oops 0
644 kernel/panic_on_warn 0
644 kernel/perf_cpu_time_max_percent 25
644 kernel/perf_event_max_contexts_per_stack 8
644 kernel/perf_event_max_sample_rate 100000
644 kernel/perf_event_max_stack 127
644 kernel/perf_event_mlock_kb 516
644 kernel/perf_event_paranoid 2
644 kernel/poweroff_cmd /sbin/poweroff
644 kernel/print-fatal-signals 0
644 kernel/printk 4 4 1 7
644 kernel/printk_delay 0
644 kernel/printk_devkmsg ratelimit
644 kernel/printk_ratelimit 5
644 kernel/printk_ratelimit_burst 10
644 kernel/pty/max 4096
444 kernel/pty/nr 0
644 kernel/pty/reserve 1024
444 kernel/random/entropy_avail 256
444 kernel/random/poolsize 256
644 kernel/random/urandom_min_reseed_secs 60
644 kernel/random/write_wakeup_threshold 256
644 kernel/randomize_va_space 2
644 kernel/sched_autogroup_enabled 1
644 kernel/sched_cfs_bandwidth_slice_us 5000
644 kernel/sched_deadline_period_max_us 4194304
644 kernel/sched_deadline_period_min_us 100
644 kernel/sched_rr_timeslice_ms 100
644 kernel/sched_rt_period_us 1000000
644 kernel/sched_rt_runtime_us 950000
444 kernel/sem_next_id -1
444 kernel/shm_next_id -1
644 kernel/sysctl_writes_strict 1
644 kernel/tainted 0
644 kernel/timer_migration 1
644 kernel/unprivileged_bpf_disabled 2
644 kernel/warn_limit 0
644 net/core/busy_poll 0
644 net/core/busy_read 0
644 net/core/default_qdisc noqueue
644 net/core/dev_weight 64
644 net/core/message_burst 10
644 net/core/message_cost 5
644 net/core/netdev_budget 300
644 net/core/netdev_budget_usecs 8000
644 net/core/netdev_max_backlog 1000
644 net/core/optmem_max 131072
644 net/core/rmem_default 212992
644 net/core/rmem_max 212992
644 net/core/rps_sock_flow_entries 0
644 net/core/somaxconn 4096
644 net/core/wmem_default 212992
644 net/core/wmem_max 212992
644 net/ipv4/cipso_cache_enable 1
644 net/ipv4/conf/all/accept_local 0
644 net/ipv4/conf/all/accept_redirects 1
644 net/ipv4/conf/all/accept_source_route 0
644 net/ipv4/conf/all/arp_announce 0
644 net/ipv4/conf/all/arp_filter 0
644 net/ipv4/conf/all/arp_ignore 0
644 net/ipv4/conf/all/arp_notify 0
644 net/ipv4/conf/all/disable_policy 0
644 net/ipv4/conf/all/disable_xfrm 0
644 net/ipv4/conf/all/forwarding 0
644 net/ipv4/conf/all/log_martians 0
444 net/ipv4/conf/all/mc_forwarding 0
644 net/ipv4/conf/all/proxy_arp 0
644 net/ipv4/conf/all/route_localnet 0
644 net/ipv4/conf/all/rp_filter 0
644 net/ipv4/conf/all/secure_redirects 1
644 net/ipv4/conf/all/send_redirects 1
644 net/ipv4/conf/default/accept_local 0
644 net/ipv4/conf/default/accept_redirects 1
644 net/ipv4/conf/default/accept_source_route 1
644 net/ipv4/conf/default/arp_announce 0
644 net/ipv4/conf/default/arp_filter 0
644 net/ipv4/conf/default/arp_ignore 0
644 net/ipv4/conf/default/arp_notify 0
644 net/ipv4/conf/default/disable_policy 0
644 net/ipv4/conf/default/disable_xfrm 0
644 net/ipv4/conf/default/forwarding 0
644 net/ipv4/conf/default/log_martians 0
444 net/ipv4/conf/default/mc_forwarding 0
644 net/ipv4/conf/default/proxy_arp 0
644 net/ipv4/conf/default/route_localnet 0
644 net/ipv4/conf/default/rp_filter 0
644 net/ipv4/conf/default/secure_redirects 1
644 net/ipv4/conf/default/send_redirects 1
644 net/ipv4/conf/lo/accept_local 0
644 net/ipv4/conf/lo/accept_redirects 1
644 net/ipv4/conf/lo/accept_source_route 1
644 net/ipv4/conf/lo/arp_announce 0
644 net/ipv4/conf/lo/arp_filter 0
644 net/ipv4/conf/lo/arp_ignore 0
644 net/ipv4/conf/lo/arp_notify 0
644 net/ipv4/conf/lo/disable_policy 1
644 net/ipv4/conf/lo/disable_xfrm 1
644 net/ipv4/conf/lo/forwarding 0
644 net/ipv4/conf/lo/log_martians 0
444 net/ipv4/conf/lo/mc_forwarding 0
644 net/ipv4/conf/lo/proxy_arp 0
644 net/ipv4/conf/lo/route_localnet 0
644 net/ipv4/conf/lo/rp_filter 0
644 net/ipv4/conf/lo/secure_redirects 1
644 net/ipv4/conf/lo/send_redirects 1
644 net/ipv4/icmp_echo_ignore_all 0
644 net/ipv4/icmp_echo_ignore_broadcasts 1
644 net/ipv4/icmp_ignore_bogus_error_responses 1
644 net/ipv4/icmp_ratelimit 1000
644 net/ipv4/icmp_ratemask 6168
644 net/ipv4/igmp_max_memberships 20
644 net/ipv4/igmp_max_msf 10
644 net/ipv4/ip_default_ttl 64
644 net/ipv4/ip_dynaddr 0
644 net/ipv4/ip_forward 0
644 net/ipv4/ip_local_port_range 32768 60999
644 net/ipv4/ip_local_reserved_ports
644 net/ipv4/ip_no_pmtu_disc 0
644 net/ipv4/ip_nonlocal_bind 0
644 net/ipv4/ip_unprivileged_port_start 1024
644 net/ipv4/ipfrag_high_thresh 4194304
644 net/ipv4/ipfrag_low_thresh 3145728
644 net/ipv4/ipfrag_time 30
644 net/ipv4/ping_group_range 1 0
644 net/ipv4/tcp_abort_on_overflow 0
644 net/ipv4/tcp_adv_win_scale 1
644 net/ipv4/tcp_allowed_congestion_control reno cubic
644 net/ipv4/tcp_app_win 31
644 net/ipv4/tcp_autocorking 1
444 net/ipv4/tcp_available_congestion_control reno cubic
444 net/ipv4/tcp_available_ulp
644 net/ipv4/tcp_base_mss 1024
644 net/ipv4/tcp_congestion_control reno
644 net/ipv4/tcp_dsack 1
644 net/ipv4/tcp_early_retrans 3
644 net/ipv4/tcp_ecn 0
644 net/ipv4/tcp_fack 0
644 net/ipv4/tcp_fastopen 1
644 net/ipv4/tcp_fin_timeout 60
644 net/ipv4/tcp_frto 2
644 net/ipv4/tcp_keepalive_intvl 75
644 net/ipv4/tcp_keepalive_probes 9
644 net/ipv4/tcp_keepalive_time 7200
644 net/ipv4/tcp_low_latency 0
644 net/ipv4/tcp_max_orphans 131072
644 net/ipv4/tcp_max_syn_backlog 2048
644 net/ipv4/tcp_max_tw_buckets 131072
644 net/ipv4/tcp_mem 287832 383779 575664
644 net/ipv4/tcp_min_tso_segs 2
644 net/ipv4/tcp_moderate_rcvbuf 1
644 net/ipv4/tcp_mtu_probing 0
644 net/ipv4/tcp_no_metrics_save 0
644 net/ipv4/tcp_notsent_lowat 4294967295
644 net/ipv4/tcp_orphan_retries 0
644 net/ipv4/tcp_recovery 1
644 net/ipv4/tcp_reordering 3
644 net/ipv4/tcp_retrans_collapse 1
644 net/ipv4/tcp_retries1 3
644 net/ipv4/tcp_retries2 15
644 net/ipv4/tcp_rfc1337 0
644 net/ipv4/tcp_rmem 4096 131072 6291456
644 net/ipv4/tcp_sack 1
644 net/ipv4/tcp_slow_start_after_idle 1
644 net/ipv4/tcp_stdurg 0
644 net/ipv4/tcp_syn_retries 6
644 net/ipv4/tcp_synack_retries 5
644 net/ipv4/tcp_syncookies 1
644 net/ipv4/tcp_timestamps 1
644 net/ipv4/tcp_tw_reuse 2
644 net/ipv4/tcp_window_scaling 1
644 net/ipv4/tcp_wmem 4096 16384 4194304
644 net/ipv4/udp_mem 575667 767559 1151334
644 net/ipv4/udp_rmem_min 4096
644 net/ipv4/udp_wmem_min 4096
644 net/ipv6/bindv6only 0
644 net/ipv6/conf/all/accept_dad 0
644 net/ipv6/conf/all/accept_ra 0
644 net/ipv6/conf/all/accept_redirects 1
644 net/ipv6/conf/all/accept_source_route 0
644 net/ipv6/conf/all/addr_gen_mode 0
644 net/ipv6/conf/all/autoconf 0
644 net/ipv6/conf/all/dad_transmits 0
644 net/ipv6/conf/all/disable_ipv6 0
644 net/ipv6/conf/all/forwarding 0
644 net/ipv6/conf/all/hop_limit 64
644 net/ipv6/conf/all/max_addresses 16
644 net/ipv6/conf/all/mtu 1280
644 net/ipv6/conf/all/proxy_ndp 0
644 net/ipv6/conf/all/router_solicitations 0
644 net/ipv6/conf/all/use_tempaddr 0
644 net/ipv6/conf/default/accept_dad 0
644 net/ipv6/conf/default/accept_ra 0
644 net/ipv6/conf/default/accept_redirects 1
644 net/ipv6/conf/default/accept_source_route 0
644 net/ipv6/conf/default/addr_gen_mode 0
644 net/ipv6/conf/default/autoconf 0
644 net/ipv6/conf/default/dad_transmits 0
644 net/ipv6/conf/default/disable_ipv6 0
644 net/ipv6/conf/default/forwarding 0
644 net/ipv6/conf/default/hop_limit 64
644 net/ipv6/conf/default/max_addresses 16
644 net/ipv6/conf/default/mtu 1280
644 net/ipv6/conf/default/proxy_ndp 0
644 net/ipv6/conf/default/router_solicitations 0
644 net/ipv6/conf/default/use_tempaddr 0
644 net/ipv6/conf/lo/accept_dad -1
644 net/ipv6/conf/lo/accept_ra 0
644 net/ipv6/conf/lo/accept_redirects 1
644 net/ipv6/conf/lo/accept_source_route 0
644 net/ipv6/conf/lo/addr_gen_mode 0
644 net/ipv6/conf/lo/autoconf 0
644 net/ipv6/conf/lo/dad_transmits 0
644 net/ipv6/conf/lo/disable_ipv6 0
644 net/ipv6/conf/lo/forwarding 0
644 net/ipv6/conf/lo/hop_limit 64
644 net/ipv6/conf/lo/max_addresses 16
644 net/ipv6/conf/lo/mtu 65536
644 net/ipv6/conf/lo/proxy_ndp 0
644 net/ipv6/conf/lo/router_solicitations 0
644 net/ipv6/conf/lo/use_tempaddr -1
644 net/ipv6/icmp/echo_ignore_all 0
644 net/ipv6/icmp/ratelimit 100
644 net/ipv6/ip6frag_high_thresh 4194304
644 net/ipv6/ip6frag_low_thresh 3145728
644 net/ipv6/ip6frag_time 60
644 net/ipv6/ip_nonlocal_bind 0
644 net/ipv6/max_dst_opts_number 8
644 net/ipv6/max_hbh_opts_number 8
644 net/unix/max_dgram_qlen 10
644 vm/admin_reserve_kbytes 8192
644 vm/compaction_proactiveness 20
644 vm/dirty_background_bytes 0
644 vm/dirty_background_ratio 10
644 vm/dirty_bytes 0
644 vm/dirty_expire_centisecs 3000
644 vm/dirty_ratio 20
644 vm/dirty_writeback_centisecs 500
644 vm/dirtytime_expire_seconds 43200
644 vm/extfrag_threshold 500
644 vm/hugetlb_shm_group 0
644 vm/laptop_mode 0
644 vm/legacy_va_layout 0
644 vm/lowmem_reserve_ratio 256 256 32 0 0
644 vm/memfd_noexec 0
644 vm/min_free_kbytes 0
644 vm/mmap_min_addr 65536
644 vm/nr_hugepages 0
644 vm/nr_hugepages_mempolicy 0
644 vm/nr_overcommit_hugepages 0
644 vm/numa_stat 1
644 vm/oom_dump_tasks 1
644 vm/oom_kill_allocating_task 0
644 vm/overcommit_kbytes 0
644 vm/overcommit_memory 0
644 vm/overcommit_ratio 50
644 vm/page-cluster 3
644 vm/panic_on_oom 0
644 vm/stat_interval 1
644 vm/swappiness 60
644 vm/unprivileged_userfaultfd 0
644 vm/user_reserve_kbytes 131072
644 vm/vfs_cache_pressure 100
644 vm/watermark_boost_factor 15000
644 vm/watermark_scale_factor 10
644 vm/zone_reclaim_mode 0
`
