package netfilter

// Messages of NFNL_SUBSYS_NFTABLES (nf_tables.h).
const (
	MsgNewTable = iota
	MsgGetTable
	MsgDelTable
	MsgNewChain
	MsgGetChain
	MsgDelChain
	MsgNewRule
	MsgGetRule
	MsgDelRule
	MsgNewSet
	MsgGetSet
	MsgDelSet
	MsgNewSetElem
	MsgGetSetElem
	MsgDelSetElem
	MsgNewGen
	MsgGetGen
	_
	MsgNewObj
	MsgGetObj
	MsgDelObj
	_
	MsgNewFlowtable
	MsgGetFlowtable
	MsgDelFlowtable
	MsgGetRuleReset
	MsgDestroyTable
	MsgDestroyChain
	MsgDestroyRule
	MsgDestroySet
	MsgDestroySetElem
)

// Attributes.
const (
	tableName, tableFlags, tableUse, tableHandle, tableUserdata = 1, 2, 3, 4, 6

	chainTable, chainHandle, chainName, chainHook, chainPolicy, chainUse = 1, 2, 3, 4, 5, 6
	chainType, chainCounters, chainFlags, chainID, chainUserdata         = 7, 8, 10, 11, 12

	hookNum, hookPriority, hookDev = 1, 2, 3

	ruleTable, ruleChain, ruleHandle, ruleExpressions, ruleCompat = 1, 2, 3, 4, 5
	rulePosition, ruleUserdata, ruleID, rulePositionID            = 6, 7, 9, 10
	ruleChainID                                                   = 11

	setTable, setName, setFlags, setKeyType, setKeyLen, setDataType  = 1, 2, 3, 4, 5, 6
	setDataLen, setPolicy, setDesc, setID, setTimeout, setGCInterval = 7, 8, 9, 10, 11, 12
	setUserdata, setHandle, setExpr, setExpressions                  = 13, 16, 17, 18

	elemsTable, elemsSet, elemsList, elemsSetID              = 1, 2, 3, 4
	elemKey, elemData, elemFlags, elemTimeout, elemUserdata  = 1, 2, 3, 4, 6
	elemExpr, elemKeyEnd, elemExpressions                    = 7, 10, 11
	elemIntervalEnd                                          = 1
	setAnonymous, setConstant, setInterval, setMap, setTimed = 1, 2, 4, 8, 16
	setKnownFlags                                            = setAnonymous | setConstant | setInterval | setMap
	verdictType                                              = 0xffffff00

	listElem, exprName, exprData = 1, 1, 2
	dataValue, dataVerdict       = 1, 2
	verdictCode, verdictChain    = 1, 2
	genID                        = 1
)

// Verdicts.
const (
	vDrop     = 0
	vAccept   = 1
	vContinue = -1
	vBreak    = -2
	vJump     = -3
	vGoto     = -4
	vReturn   = -5
)

// Families.
const (
	famInet = 1
	famIPv4 = 2
	famIPv6 = 10
)
