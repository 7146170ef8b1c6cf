"""What a person will want next: her own repurchases, and what people like her discover; learned from baskets."""
