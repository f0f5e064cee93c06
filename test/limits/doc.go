// Package limits has the tests of what bounds a guest: the limits of its
// sandbox, and the control groups that it makes itself. A guest that takes
// without end is contained, whoever Linux would choose ends, and the sandbox
// goes on. They need root, a C compiler and a built runsc (-args -runsc PATH).
package limits
