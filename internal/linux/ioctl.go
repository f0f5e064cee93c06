package linux

// IoctlCmd is a request of ioctl(2).
type IoctlCmd uint32

const (
	FIONREAD                     IoctlCmd = 0x541b
	FIONBIO                      IoctlCmd = 0x5421
	FIONCLEX                     IoctlCmd = 0x5450
	FIOCLEX                      IoctlCmd = 0x5451
	FIOASYNC                     IoctlCmd = 0x5452
	FIOQSIZE                     IoctlCmd = 0x5460
	TCGETS                       IoctlCmd = 0x5401
	TCSETS                       IoctlCmd = 0x5402
	TCSETSW                      IoctlCmd = 0x5403
	TCSETSF                      IoctlCmd = 0x5404
	TCGETA                       IoctlCmd = 0x5405
	TCSETA                       IoctlCmd = 0x5406
	TCSETAW                      IoctlCmd = 0x5407
	TCSETAF                      IoctlCmd = 0x5408
	TCSBRK                       IoctlCmd = 0x5409
	TCXONC                       IoctlCmd = 0x540a
	TCFLSH                       IoctlCmd = 0x540b
	TIOCEXCL                     IoctlCmd = 0x540c
	TIOCNXCL                     IoctlCmd = 0x540d
	TIOCSCTTY                    IoctlCmd = 0x540e
	TIOCGPGRP                    IoctlCmd = 0x540f
	TIOCSPGRP                    IoctlCmd = 0x5410
	TIOCOUTQ                     IoctlCmd = 0x5411
	TIOCSTI                      IoctlCmd = 0x5412
	TIOCGWINSZ                   IoctlCmd = 0x5413
	TIOCSWINSZ                   IoctlCmd = 0x5414
	TIOCMGET                     IoctlCmd = 0x5415
	TIOCMBIS                     IoctlCmd = 0x5416
	TIOCMBIC                     IoctlCmd = 0x5417
	TIOCMSET                     IoctlCmd = 0x5418
	TIOCGSOFTCAR                 IoctlCmd = 0x5419
	TIOCSSOFTCAR                 IoctlCmd = 0x541a
	TIOCLINUX                    IoctlCmd = 0x541c
	TIOCCONS                     IoctlCmd = 0x541d
	TIOCGSERIAL                  IoctlCmd = 0x541e
	TIOCSSERIAL                  IoctlCmd = 0x541f
	TIOCPKT                      IoctlCmd = 0x5420
	TIOCNOTTY                    IoctlCmd = 0x5422
	TIOCSETD                     IoctlCmd = 0x5423
	TIOCGETD                     IoctlCmd = 0x5424
	TCSBRKP                      IoctlCmd = 0x5425
	TIOCSBRK                     IoctlCmd = 0x5427
	TIOCCBRK                     IoctlCmd = 0x5428
	TIOCGSID                     IoctlCmd = 0x5429
	TCGETS2                      IoctlCmd = 0x802c542a
	TCSETS2                      IoctlCmd = 0x402c542b
	TCSETSW2                     IoctlCmd = 0x402c542c
	TCSETSF2                     IoctlCmd = 0x402c542d
	TIOCGPTN                     IoctlCmd = 0x80045430
	TIOCSPTLCK                   IoctlCmd = 0x40045431
	TIOCGDEV                     IoctlCmd = 0x80045432
	TIOCSIG                      IoctlCmd = 0x40045436
	TIOCVHANGUP                  IoctlCmd = 0x5437
	TIOCGPKT                     IoctlCmd = 0x80045438
	TIOCGPTLCK                   IoctlCmd = 0x80045439
	TIOCGEXCL                    IoctlCmd = 0x80045440
	TIOCGPTPEER                  IoctlCmd = 0x5441
	TIOCGLCKTRMIOS               IoctlCmd = 0x5456
	TIOCSLCKTRMIOS               IoctlCmd = 0x5457
	FIBMAP                       IoctlCmd = 0x1
	FIGETBSZ                     IoctlCmd = 0x2
	FIFREEZE                     IoctlCmd = 0xc0045877
	FITHAW                       IoctlCmd = 0xc0045878
	FITRIM                       IoctlCmd = 0xc0185879
	FICLONE                      IoctlCmd = 0x40049409
	FICLONERANGE                 IoctlCmd = 0x4020940d
	FIDEDUPERANGE                IoctlCmd = 0xc0189436
	FS_IOC_FIEMAP                IoctlCmd = 0xc020660b
	FS_IOC_GETFLAGS              IoctlCmd = 0x80086601
	FS_IOC_SETFLAGS              IoctlCmd = 0x40086602
	FS_IOC_FSGETXATTR            IoctlCmd = 0x801c581f
	FS_IOC_FSSETXATTR            IoctlCmd = 0x401c5820
	FS_IOC_GETVERSION            IoctlCmd = 0x80087601
	FS_IOC_ENABLE_VERITY         IoctlCmd = 0x40806685
	FS_IOC_MEASURE_VERITY        IoctlCmd = 0xc0046686
	FS_IOC_GETFSLABEL            IoctlCmd = 0x81009431
	BLKROGET                     IoctlCmd = 0x125e
	BLKGETSIZE                   IoctlCmd = 0x1260
	BLKGETSIZE64                 IoctlCmd = 0x80081272
	BLKSSZGET                    IoctlCmd = 0x1268
	BLKBSZGET                    IoctlCmd = 0x80081270
	BLKPBSZGET                   IoctlCmd = 0x127b
	BLKFLSBUF                    IoctlCmd = 0x1261
	BLKDISCARD                   IoctlCmd = 0x1277
	SIOCADDRT                    IoctlCmd = 0x890b
	SIOCDELRT                    IoctlCmd = 0x890c
	SIOCGIFNAME                  IoctlCmd = 0x8910
	SIOCGIFCONF                  IoctlCmd = 0x8912
	SIOCGIFFLAGS                 IoctlCmd = 0x8913
	SIOCSIFFLAGS                 IoctlCmd = 0x8914
	SIOCGIFADDR                  IoctlCmd = 0x8915
	SIOCSIFADDR                  IoctlCmd = 0x8916
	SIOCGIFDSTADDR               IoctlCmd = 0x8917
	SIOCSIFDSTADDR               IoctlCmd = 0x8918
	SIOCGIFBRDADDR               IoctlCmd = 0x8919
	SIOCSIFBRDADDR               IoctlCmd = 0x891a
	SIOCGIFNETMASK               IoctlCmd = 0x891b
	SIOCSIFNETMASK               IoctlCmd = 0x891c
	SIOCGIFMETRIC                IoctlCmd = 0x891d
	SIOCSIFMETRIC                IoctlCmd = 0x891e
	SIOCGIFMTU                   IoctlCmd = 0x8921
	SIOCSIFMTU                   IoctlCmd = 0x8922
	SIOCSIFNAME                  IoctlCmd = 0x8923
	SIOCSIFHWADDR                IoctlCmd = 0x8924
	SIOCGIFHWADDR                IoctlCmd = 0x8927
	SIOCGIFSLAVE                 IoctlCmd = 0x8929
	SIOCADDMULTI                 IoctlCmd = 0x8931
	SIOCDELMULTI                 IoctlCmd = 0x8932
	SIOCGIFINDEX                 IoctlCmd = 0x8933
	SIOCGIFPFLAGS                IoctlCmd = 0x8935
	SIOCGIFCOUNT                 IoctlCmd = 0x8938
	SIOCGIFTXQLEN                IoctlCmd = 0x8942
	SIOCSIFTXQLEN                IoctlCmd = 0x8943
	SIOCETHTOOL                  IoctlCmd = 0x8946
	SIOCGMIIPHY                  IoctlCmd = 0x8947
	SIOCGMIIREG                  IoctlCmd = 0x8948
	SIOCGIFMAP                   IoctlCmd = 0x8970
	SIOCGARP                     IoctlCmd = 0x8954
	SIOCSARP                     IoctlCmd = 0x8955
	SIOCDARP                     IoctlCmd = 0x8953
	SIOCATMARK                   IoctlCmd = 0x8905
	SIOCGPGRP                    IoctlCmd = 0x8904
	SIOCSPGRP                    IoctlCmd = 0x8902
	SIOCGSTAMP                   IoctlCmd = 0x8906
	SIOCGSTAMPNS                 IoctlCmd = 0x8907
	SIOCBRADDBR                  IoctlCmd = 0x89a0
	SIOCBRDELBR                  IoctlCmd = 0x89a1
	SIOCBRADDIF                  IoctlCmd = 0x89a2
	SIOCBRDELIF                  IoctlCmd = 0x89a3
	SIOCGIFBR                    IoctlCmd = 0x8940
	SIOCSIFBR                    IoctlCmd = 0x8941
	SIOCDEVPRIVATE               IoctlCmd = 0x89f0
	TUNSETIFF                    IoctlCmd = 0x400454ca
	TUNGETIFF                    IoctlCmd = 0x800454d2
	TUNSETPERSIST                IoctlCmd = 0x400454cb
	TUNSETOWNER                  IoctlCmd = 0x400454cc
	TUNSETNOCSUM                 IoctlCmd = 0x400454c8
	TUNGETFEATURES               IoctlCmd = 0x800454cf
	TUNSETOFFLOAD                IoctlCmd = 0x400454d0
	TFD_IOC_SET_TICKS            IoctlCmd = 0x40085400
	NS_GET_USERNS                IoctlCmd = 0xb701
	NS_GET_PARENT                IoctlCmd = 0xb702
	NS_GET_NSTYPE                IoctlCmd = 0xb703
	NS_GET_OWNER_UID             IoctlCmd = 0xb704
	RNDGETENTCNT                 IoctlCmd = 0x80045200
	RNDADDTOENTCNT               IoctlCmd = 0x40045201
	RNDADDENTROPY                IoctlCmd = 0x40085203
	EPIOCSPARAMS                 IoctlCmd = 0x40088a01
	EPIOCGPARAMS                 IoctlCmd = 0x80088a02
	SECCOMP_IOCTL_NOTIF_RECV     IoctlCmd = 0xc0502100
	SECCOMP_IOCTL_NOTIF_SEND     IoctlCmd = 0xc0182101
	SECCOMP_IOCTL_NOTIF_ID_VALID IoctlCmd = 0x40082102
	SECCOMP_IOCTL_NOTIF_ADDFD    IoctlCmd = 0x40182103
	// With the direction that it had before Linux 5.17.
	SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR IoctlCmd = 0x80082102
	SECCOMP_IOCTL_NOTIF_SET_FLAGS          IoctlCmd = 0x40082104
	KDGKBTYPE                              IoctlCmd = 0x4b33
	KDGETMODE                              IoctlCmd = 0x4b3b
	KDSETMODE                              IoctlCmd = 0x4b3a
	KDGKBMODE                              IoctlCmd = 0x4b44
	KDSKBMODE                              IoctlCmd = 0x4b45
	VT_OPENQRY                             IoctlCmd = 0x5600
	VT_GETSTATE                            IoctlCmd = 0x5603
	PIDFD_GET_INFO                         IoctlCmd = 0xc040ff0b
)

var ioctlCmdNames = [...]enumName{
	{int64(FIONREAD), "FIONREAD"},
	{int64(FIONBIO), "FIONBIO"},
	{int64(FIONCLEX), "FIONCLEX"},
	{int64(FIOCLEX), "FIOCLEX"},
	{int64(FIOASYNC), "FIOASYNC"},
	{int64(FIOQSIZE), "FIOQSIZE"},
	{int64(TCGETS), "TCGETS"},
	{int64(TCSETS), "TCSETS"},
	{int64(TCSETSW), "TCSETSW"},
	{int64(TCSETSF), "TCSETSF"},
	{int64(TCGETA), "TCGETA"},
	{int64(TCSETA), "TCSETA"},
	{int64(TCSETAW), "TCSETAW"},
	{int64(TCSETAF), "TCSETAF"},
	{int64(TCSBRK), "TCSBRK"},
	{int64(TCXONC), "TCXONC"},
	{int64(TCFLSH), "TCFLSH"},
	{int64(TIOCEXCL), "TIOCEXCL"},
	{int64(TIOCNXCL), "TIOCNXCL"},
	{int64(TIOCSCTTY), "TIOCSCTTY"},
	{int64(TIOCGPGRP), "TIOCGPGRP"},
	{int64(TIOCSPGRP), "TIOCSPGRP"},
	{int64(TIOCOUTQ), "TIOCOUTQ"},
	{int64(TIOCSTI), "TIOCSTI"},
	{int64(TIOCGWINSZ), "TIOCGWINSZ"},
	{int64(TIOCSWINSZ), "TIOCSWINSZ"},
	{int64(TIOCMGET), "TIOCMGET"},
	{int64(TIOCMBIS), "TIOCMBIS"},
	{int64(TIOCMBIC), "TIOCMBIC"},
	{int64(TIOCMSET), "TIOCMSET"},
	{int64(TIOCGSOFTCAR), "TIOCGSOFTCAR"},
	{int64(TIOCSSOFTCAR), "TIOCSSOFTCAR"},
	{int64(TIOCLINUX), "TIOCLINUX"},
	{int64(TIOCCONS), "TIOCCONS"},
	{int64(TIOCGSERIAL), "TIOCGSERIAL"},
	{int64(TIOCSSERIAL), "TIOCSSERIAL"},
	{int64(TIOCPKT), "TIOCPKT"},
	{int64(TIOCNOTTY), "TIOCNOTTY"},
	{int64(TIOCSETD), "TIOCSETD"},
	{int64(TIOCGETD), "TIOCGETD"},
	{int64(TCSBRKP), "TCSBRKP"},
	{int64(TIOCSBRK), "TIOCSBRK"},
	{int64(TIOCCBRK), "TIOCCBRK"},
	{int64(TIOCGSID), "TIOCGSID"},
	{int64(TCGETS2), "TCGETS2"},
	{int64(TCSETS2), "TCSETS2"},
	{int64(TCSETSW2), "TCSETSW2"},
	{int64(TCSETSF2), "TCSETSF2"},
	{int64(TIOCGPTN), "TIOCGPTN"},
	{int64(TIOCSPTLCK), "TIOCSPTLCK"},
	{int64(TIOCGDEV), "TIOCGDEV"},
	{int64(TIOCSIG), "TIOCSIG"},
	{int64(TIOCVHANGUP), "TIOCVHANGUP"},
	{int64(TIOCGPKT), "TIOCGPKT"},
	{int64(TIOCGPTLCK), "TIOCGPTLCK"},
	{int64(TIOCGEXCL), "TIOCGEXCL"},
	{int64(TIOCGPTPEER), "TIOCGPTPEER"},
	{int64(TIOCGLCKTRMIOS), "TIOCGLCKTRMIOS"},
	{int64(TIOCSLCKTRMIOS), "TIOCSLCKTRMIOS"},
	{int64(FIBMAP), "FIBMAP"},
	{int64(FIGETBSZ), "FIGETBSZ"},
	{int64(FIFREEZE), "FIFREEZE"},
	{int64(FITHAW), "FITHAW"},
	{int64(FITRIM), "FITRIM"},
	{int64(FICLONE), "FICLONE"},
	{int64(FICLONERANGE), "FICLONERANGE"},
	{int64(FIDEDUPERANGE), "FIDEDUPERANGE"},
	{int64(FS_IOC_FIEMAP), "FS_IOC_FIEMAP"},
	{int64(FS_IOC_GETFLAGS), "FS_IOC_GETFLAGS"},
	{int64(FS_IOC_SETFLAGS), "FS_IOC_SETFLAGS"},
	{int64(FS_IOC_FSGETXATTR), "FS_IOC_FSGETXATTR"},
	{int64(FS_IOC_FSSETXATTR), "FS_IOC_FSSETXATTR"},
	{int64(FS_IOC_GETVERSION), "FS_IOC_GETVERSION"},
	{int64(FS_IOC_ENABLE_VERITY), "FS_IOC_ENABLE_VERITY"},
	{int64(FS_IOC_MEASURE_VERITY), "FS_IOC_MEASURE_VERITY"},
	{int64(FS_IOC_GETFSLABEL), "FS_IOC_GETFSLABEL"},
	{int64(BLKROGET), "BLKROGET"},
	{int64(BLKGETSIZE), "BLKGETSIZE"},
	{int64(BLKGETSIZE64), "BLKGETSIZE64"},
	{int64(BLKSSZGET), "BLKSSZGET"},
	{int64(BLKBSZGET), "BLKBSZGET"},
	{int64(BLKPBSZGET), "BLKPBSZGET"},
	{int64(BLKFLSBUF), "BLKFLSBUF"},
	{int64(BLKDISCARD), "BLKDISCARD"},
	{int64(SIOCADDRT), "SIOCADDRT"},
	{int64(SIOCDELRT), "SIOCDELRT"},
	{int64(SIOCGIFNAME), "SIOCGIFNAME"},
	{int64(SIOCGIFCONF), "SIOCGIFCONF"},
	{int64(SIOCGIFFLAGS), "SIOCGIFFLAGS"},
	{int64(SIOCSIFFLAGS), "SIOCSIFFLAGS"},
	{int64(SIOCGIFADDR), "SIOCGIFADDR"},
	{int64(SIOCSIFADDR), "SIOCSIFADDR"},
	{int64(SIOCGIFDSTADDR), "SIOCGIFDSTADDR"},
	{int64(SIOCSIFDSTADDR), "SIOCSIFDSTADDR"},
	{int64(SIOCGIFBRDADDR), "SIOCGIFBRDADDR"},
	{int64(SIOCSIFBRDADDR), "SIOCSIFBRDADDR"},
	{int64(SIOCGIFNETMASK), "SIOCGIFNETMASK"},
	{int64(SIOCSIFNETMASK), "SIOCSIFNETMASK"},
	{int64(SIOCGIFMETRIC), "SIOCGIFMETRIC"},
	{int64(SIOCSIFMETRIC), "SIOCSIFMETRIC"},
	{int64(SIOCGIFMTU), "SIOCGIFMTU"},
	{int64(SIOCSIFMTU), "SIOCSIFMTU"},
	{int64(SIOCSIFNAME), "SIOCSIFNAME"},
	{int64(SIOCSIFHWADDR), "SIOCSIFHWADDR"},
	{int64(SIOCGIFHWADDR), "SIOCGIFHWADDR"},
	{int64(SIOCGIFSLAVE), "SIOCGIFSLAVE"},
	{int64(SIOCADDMULTI), "SIOCADDMULTI"},
	{int64(SIOCDELMULTI), "SIOCDELMULTI"},
	{int64(SIOCGIFINDEX), "SIOCGIFINDEX"},
	{int64(SIOCGIFPFLAGS), "SIOCGIFPFLAGS"},
	{int64(SIOCGIFCOUNT), "SIOCGIFCOUNT"},
	{int64(SIOCGIFTXQLEN), "SIOCGIFTXQLEN"},
	{int64(SIOCSIFTXQLEN), "SIOCSIFTXQLEN"},
	{int64(SIOCETHTOOL), "SIOCETHTOOL"},
	{int64(SIOCGMIIPHY), "SIOCGMIIPHY"},
	{int64(SIOCGMIIREG), "SIOCGMIIREG"},
	{int64(SIOCGIFMAP), "SIOCGIFMAP"},
	{int64(SIOCGARP), "SIOCGARP"},
	{int64(SIOCSARP), "SIOCSARP"},
	{int64(SIOCDARP), "SIOCDARP"},
	{int64(SIOCATMARK), "SIOCATMARK"},
	{int64(SIOCGPGRP), "SIOCGPGRP"},
	{int64(SIOCSPGRP), "SIOCSPGRP"},
	{int64(SIOCGSTAMP), "SIOCGSTAMP"},
	{int64(SIOCGSTAMPNS), "SIOCGSTAMPNS"},
	{int64(SIOCBRADDBR), "SIOCBRADDBR"},
	{int64(SIOCBRDELBR), "SIOCBRDELBR"},
	{int64(SIOCBRADDIF), "SIOCBRADDIF"},
	{int64(SIOCBRDELIF), "SIOCBRDELIF"},
	{int64(SIOCGIFBR), "SIOCGIFBR"},
	{int64(SIOCSIFBR), "SIOCSIFBR"},
	{int64(SIOCDEVPRIVATE), "SIOCDEVPRIVATE"},
	{int64(TUNSETIFF), "TUNSETIFF"},
	{int64(TUNGETIFF), "TUNGETIFF"},
	{int64(TUNSETPERSIST), "TUNSETPERSIST"},
	{int64(TUNSETOWNER), "TUNSETOWNER"},
	{int64(TUNSETNOCSUM), "TUNSETNOCSUM"},
	{int64(TUNGETFEATURES), "TUNGETFEATURES"},
	{int64(TUNSETOFFLOAD), "TUNSETOFFLOAD"},
	{int64(TFD_IOC_SET_TICKS), "TFD_IOC_SET_TICKS"},
	{int64(NS_GET_USERNS), "NS_GET_USERNS"},
	{int64(NS_GET_PARENT), "NS_GET_PARENT"},
	{int64(NS_GET_NSTYPE), "NS_GET_NSTYPE"},
	{int64(NS_GET_OWNER_UID), "NS_GET_OWNER_UID"},
	{int64(RNDGETENTCNT), "RNDGETENTCNT"},
	{int64(RNDADDTOENTCNT), "RNDADDTOENTCNT"},
	{int64(RNDADDENTROPY), "RNDADDENTROPY"},
	{int64(EPIOCSPARAMS), "EPIOCSPARAMS"},
	{int64(EPIOCGPARAMS), "EPIOCGPARAMS"},
	{int64(SECCOMP_IOCTL_NOTIF_RECV), "SECCOMP_IOCTL_NOTIF_RECV"},
	{int64(SECCOMP_IOCTL_NOTIF_SEND), "SECCOMP_IOCTL_NOTIF_SEND"},
	{int64(SECCOMP_IOCTL_NOTIF_ID_VALID), "SECCOMP_IOCTL_NOTIF_ID_VALID"},
	{int64(SECCOMP_IOCTL_NOTIF_ADDFD), "SECCOMP_IOCTL_NOTIF_ADDFD"},
	{int64(KDGKBTYPE), "KDGKBTYPE"},
	{int64(KDGETMODE), "KDGETMODE"},
	{int64(KDSETMODE), "KDSETMODE"},
	{int64(KDGKBMODE), "KDGKBMODE"},
	{int64(KDSKBMODE), "KDSKBMODE"},
	{int64(VT_OPENQRY), "VT_OPENQRY"},
	{int64(VT_GETSTATE), "VT_GETSTATE"},
	{int64(PIDFD_GET_INFO), "PIDFD_GET_INFO"},
}

func (f IoctlCmd) String() string { return formatEnum(int64(f), ioctlCmdNames[:]) }

// The socket names of two terminal requests.
const (
	TIOCINQ  = FIONREAD
	SIOCINQ  = FIONREAD
	SIOCOUTQ = TIOCOUTQ
)

// Parts of an ioctl number.
const (
	IOC_NRSHIFT   = 0
	IOC_TYPESHIFT = 8
	IOC_SIZESHIFT = 16
	IOC_DIRSHIFT  = 30
	IOC_NONE      = 0
	IOC_WRITE     = 1
	IOC_READ      = 2
)

// Nr, Type, Size and Dir take c apart.
func (c IoctlCmd) Nr() uint32   { return uint32(c) & 0xff }
func (c IoctlCmd) Type() uint32 { return uint32(c) >> IOC_TYPESHIFT & 0xff }
func (c IoctlCmd) Size() uint32 { return uint32(c) >> IOC_SIZESHIFT & 0x3fff }
func (c IoctlCmd) Dir() uint32  { return uint32(c) >> IOC_DIRSHIFT }
