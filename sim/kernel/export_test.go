package kernel

// Watches returns how many contexts the kernel knows.
func (k *Kernel) Watches() int { return len(k.watches) }
