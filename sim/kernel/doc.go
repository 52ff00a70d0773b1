// Package kernel is a placeholder.
package kernel
