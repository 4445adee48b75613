"""Value without a model of customers: cash flows, multiples, spending, chains of states, referrals."""
